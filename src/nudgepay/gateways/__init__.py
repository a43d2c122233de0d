"""The only doors out: mail, Stripe. Each takes callables for its keys and bounds every call in time.

Owns no table. May be called by: runtime, payments, nudges, web, automation, cli.
"""
