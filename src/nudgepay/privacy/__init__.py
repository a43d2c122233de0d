"""A person's data: where it lies, what the law keeps of it and until when, handing it out, and erasing it.

Owns `erasures` and the key of the hashes of erased addresses, and the ledger of erasures outside of the database.
Called by `automation`, `web` and `cli`.
"""
