"""One invoice from the lines of a file: its own line, the same total on each of several, or their sum."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

from nudgepay.invoices.importing.rows import InvoiceRow

Fault = Callable[[int, str, str, str], None]
_SHARED = ("client_name", "client_email", "client_external_id", "currency", "issued_on", "due_on", "external_id")
_TOTALS = ("amount", "amount_paid")


class Lines:
    """Puts the lines of an invoice together. Amounts are judged when the invoice is whole."""

    def __init__(self, how: Literal["one", "same", "sum"], fault: Fault) -> None:
        """`fault` is told line, column, code and message."""
        self._how = how
        self._fault = fault
        self._first: dict[str, int] = {}
        self._whole: dict[str, InvoiceRow] = {}

    def take(self, row: InvoiceRow) -> InvoiceRow | None:
        """The invoice, when one line is all of it; lines to be put together come out of `finish`."""
        if self._how == "one":
            first = self._first.setdefault(row.invoice_number, row.line)
            if first != row.line:
                self._fault(row.line, "invoice_number", "number_twice", f"is the number of line {first} already")
                return None
            return row if self._is_sound(row) else None
        known = self._whole.setdefault(row.invoice_number, row)
        if known is not row and self._agrees(known, row) and self._how == "sum":
            self._whole[row.invoice_number] = replace(known, amount=known.amount + row.amount)
        return None

    def finish(self) -> Iterator[InvoiceRow]:
        """The invoices that were put together, in the order of their first lines."""
        for row in self._whole.values():
            if self._is_sound(row):
                yield row
        self._whole = {}

    def _agrees(self, known: InvoiceRow, row: InvoiceRow) -> bool:
        names = _SHARED if self._how == "sum" else (*_SHARED, *_TOTALS)
        different = next((name for name in names if getattr(known, name) != getattr(row, name)), None)
        if different is not None:
            message = f"differs from line {known.line} of the same invoice {row.invoice_number}"
            self._fault(row.line, different, "lines_disagree", message)
        return different is None

    def _is_sound(self, row: InvoiceRow) -> bool:
        if row.amount <= 0:
            self._fault(row.line, "amount", "not_positive", "must be more than zero")
        if not 0 <= row.amount_paid <= max(row.amount, 0):
            self._fault(row.line, "amount_paid", "out_of_range", "must lie between zero and the amount")
        return row.amount > 0 and 0 <= row.amount_paid <= row.amount
