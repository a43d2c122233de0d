"""The schema: every table in one metadata, migrations under a lock and with timeouts.

Owns Alembic's `alembic_version`. May be called by: automation, web (is the schema right?), cli.
"""
