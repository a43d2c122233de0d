"""`/audit`: who did what, when and from where, and the proof that nobody changed it."""
