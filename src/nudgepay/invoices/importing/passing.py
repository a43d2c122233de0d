"""Rows that are no claim, by what the program that wrote the file says of them."""

from nudgepay.invoices.importing.cells import as_text
from nudgepay.invoices.importing.layouts import Layout, plain
from nudgepay.invoices.importing.tables import TableRow

PAID = "paid"
CLOSING = frozenset({"void", "uncollectible"})


def reason_to_pass(row: TableRow, layout: Layout) -> str | None:
    """Why the row is no open invoice, or None. What is settled goes before how it is collected."""
    if layout.kinds and (kind := _word(row, *layout.kind)) is not None and kind not in layout.kinds:
        return "not_an_invoice"
    if layout.status and (reason := layout.passed_over.get(_word(row, layout.status) or "")) is not None:
        return reason
    for column, words in layout.passes_over.items():
        if reason := words.get(_word(row, column) or ""):
            return reason
    return None


def _word(row: TableRow, *columns: str) -> str | None:
    """The cell of the first of these columns that the file has, folded; None when it has none of them."""
    wanted = {plain(column) for column in columns}
    found = next((cell for name, cell in row.cells.items() if plain(name) in wanted), None)
    return None if found is None else as_text(found).strip().casefold()
