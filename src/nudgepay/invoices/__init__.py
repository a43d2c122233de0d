"""Clients, contacts and invoices: the books.

Owns: tables `clients`, `contacts`, `invoices`, `invoice_search`, `import_mappings`. May be called by: payments,
nudges, web, cli.
"""
