"""`nudgepay demo`: the whole story on sample data, real rooms and a protocol-true Stripe, in half a minute."""
