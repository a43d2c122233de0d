"""Is it fit to run: the doctor's findings, the evidence of one invoice, the rehearsal of a cut-over.

Owns no table. May be called by: automation, web, cli.
"""
