"""`/invoices`: the list, views of one's own, many at once, new ones, edits, and files of what the list shows."""
