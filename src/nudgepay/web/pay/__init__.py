"""The payer's pages: what is owed at this moment, ways to pay it, four answers, and the unsubscribe page.

Owns no table. No login, no cookie, no script. GET and HEAD read in a read-only transaction; only POST acts.
"""
