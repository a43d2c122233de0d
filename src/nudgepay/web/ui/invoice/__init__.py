"""`/invoices/{id}`: one invoice, everything that happened to it, what happens next, and what a person can do."""
