"""Clients, contacts and invoices: the books.

Owns: tables `clients`, `contacts`, `invoices`. May be called by: payments, nudges, web, cli.
"""
