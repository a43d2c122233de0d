"""The operators' pages. Each route declares its permission; `page.py` is what every one of them is handed."""
