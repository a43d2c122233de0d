"""`/schedules`: who is written to when. A step editor, the difference before it counts, versions, closing days."""
