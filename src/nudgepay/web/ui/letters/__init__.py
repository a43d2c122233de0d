"""`/letters` and `/runs`: what was sent, what became of it, and a person's word where nobody else can tell."""
