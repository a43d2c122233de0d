"""`/plan`: what goes out in the next days, when, to whom, and why the rest stays silent."""
