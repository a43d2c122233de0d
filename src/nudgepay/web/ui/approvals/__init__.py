"""`/approvals`: what waits for a second person, what it would do, and the answers."""
