"""`/settings`: what is configured and where each value came from, the sender's health, Stripe, the first steps."""
