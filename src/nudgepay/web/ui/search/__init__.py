"""The search: what is typed into the palette or the page, found among places, invoices and clients."""
