"""What the pages of every kind of uploaded file share: the work, the faults, the columns, the acts."""
