"""Money facts and what they do to invoices; Stripe's events in, Checkout Sessions out.

Owns: tables `money_facts`, `allocations`, `checkout_sessions`, `reviews`, `stripe_events`.
May be called by: nudges (reads), web, automation, cli. Never knows nudges: the chaser looks.
"""
