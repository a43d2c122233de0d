"""`/operations`: what runs, what waits, what needs a person, and the big switch."""
