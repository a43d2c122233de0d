"""`/operators`: who works here, as what, and how they come in; `/join`: the first password."""
