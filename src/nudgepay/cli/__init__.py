"""The command line: one module per command group, one line each into a room."""
