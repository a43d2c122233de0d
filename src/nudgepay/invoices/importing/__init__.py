"""Reading clients and invoices from files: bytes to rows to fields, every fault with its line and column.

Owns no table: writing is `payments.importing`, since what was paid already is a money fact.
"""
