"""Today: what is owed, came in, goes out, is held, needs a person; and the lists behind the numbers."""
