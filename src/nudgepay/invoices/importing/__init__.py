"""Reading clients and invoices from files: bytes to records to a table to fields, every fault with its place.

Owns: table `import_mappings`. Writing invoices is `payments.importing`, since what was paid already is a money fact.
"""
