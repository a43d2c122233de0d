"""Writing rows into files that other programs open: exact, whole or not at all, and nothing in them runs.

Owns no table. The rows come from the rooms that know them: `invoices`, `payments`, `nudges`.
"""
