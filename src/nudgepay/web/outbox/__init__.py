"""The local outbox in a browser: what left, to whom, for what; each letter as its reader sees it.

Exists only outside staging and production, while letters go to files. Owns no table; reads `letters`.
"""
