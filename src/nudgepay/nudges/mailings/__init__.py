"""Mail that reminds nobody of anything: thank-you letters, statements of account, the owner's digest, copies,
tests of texts.

Owns `mailings`. Each row is one message, at most once; the same transport, names and doubts as letters.
"""
