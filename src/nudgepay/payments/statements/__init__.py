"""Bank statements: read exactly, kept once, proposed to a person, and booked by a person's word only.

Fills the tables `bank_statements` and `bank_lines` of `payments.models`. May be called by: web, cli.
"""
