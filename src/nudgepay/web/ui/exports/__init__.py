"""`/exports`: the books as files, for people and programs; all of them in one archive on a second person's yes."""
