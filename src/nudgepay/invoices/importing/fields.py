"""From cells to a checked row: every field that is wrong is named, not only the first."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from nudgepay.errors import UsageError
from nudgepay.invoices.importing.cells import Broken, Cell, as_text, unquoted
from nudgepay.invoices.importing.columns import REQUIRED, Columns
from nudgepay.invoices.importing.conventions import DateError, parse_day, parse_utc
from nudgepay.invoices.importing.faults import RowFault
from nudgepay.invoices.importing.layouts import Layout
from nudgepay.invoices.importing.merging import Lines
from nudgepay.invoices.importing.passing import reason_to_pass
from nudgepay.invoices.importing.rows import Defaults, InvoiceRow, PassedRow
from nudgepay.invoices.importing.tables import TableRow
from nudgepay.invoices.validation import (
    MAX_NUMBER,
    FieldError,
    clean_country,
    clean_email,
    clean_line,
    clean_locale,
    clean_timezone,
)
from nudgepay.money import AmountError, ensure_currency, parse_major, to_minor, without_symbol

T = TypeVar("T")
LONGEST_TOLD = 100
"""Characters of a faulty cell that are told."""
_CURES = {
    "due_on": "must not be empty; --due-days N counts from the date of issue",
    "currency": "must not be empty; say --currency EUR for the whole file",
}


class RowReader:
    """Reads rows of one file with one set of conventions, and collects their faults."""

    def __init__(self, columns: Columns, *, layout: Layout, locale: str | None, defaults: Defaults) -> None:
        """`columns` is field to the file's names; `locale` the file's conventions, None for ISO and plain."""
        self._columns = columns
        self._layout = layout
        self._locale = clean_locale(locale) if locale else None
        self._amount_locale = {"plain": None, "locale": self._locale, "en": self._locale or "en"}[layout.amounts]
        self._defaults = defaults
        self._lines = Lines(layout.lines, self._fault_of)
        self._is_open_amount = "amount_open" in columns and "amount" not in columns
        self.faults: list[RowFault] = []

    def read(self, rows: Iterable[TableRow]) -> Iterator[InvoiceRow | PassedRow]:
        """The rows without a fault; several lines of one invoice as one, after the last row."""
        for row in rows:
            if reason := reason_to_pass(row, self._layout):
                yield self._passed(row, reason)
                continue
            before = len(self.faults)
            made = self._row(row)
            if made is not None and len(self.faults) == before and (whole := self._lines.take(made)) is not None:
                yield whole
        yield from self._lines.finish()

    def _passed(self, row: TableRow, reason: str) -> PassedRow:
        names = ("invoice_number", "client_name", "client_external_id", "currency")
        return PassedRow(row.line, reason, *(self._text(self._cell(row, name)[1]) for name in names))

    def _row(self, row: TableRow) -> InvoiceRow | None:
        def field(name: str, check: Callable[[Cell], T], missing: T | None = None) -> T | None:
            return self._field(row, name, check, missing)

        def text(name: str, check: Callable[[str], T], missing: T | None = None) -> T | None:
            return self._field(row, name, lambda cell: check(self._text(cell)), missing)

        number = text("invoice_number", lambda value: clean_line(value, "invoice_number", longest=MAX_NUMBER))
        currency = text("currency", ensure_currency, self._defaults.currency)
        issued_on = field("issued_on", self._day)
        due_on = field("due_on", self._day, self._due_after(issued_on))
        amount, paid = self._amounts(row, currency)
        needed: dict[str, Any] = {
            "client_name": text("client_name", lambda value: clean_line(value, "client_name")),
            "client_email": text("client_email", clean_email, "" if self._layout.is_foreign else None),
            "client_locale": text("client_locale", clean_locale, self._defaults.locale),
            "client_timezone": text("client_timezone", clean_timezone, self._defaults.timezone),
            "client_country": text("client_country", clean_country, self._defaults.country),
            "amount": amount,
            "amount_paid": paid,
        }
        optional: dict[str, Any] = {
            "client_external_id": text("client_external_id", lambda value: clean_line(value, "client_external_id")),
            "external_id": text("external_id", lambda value: clean_line(value, "external_id")),
            "description": text("description", lambda value: clean_line(value, "description", longest=500)),
        }
        if number is None or currency is None or due_on is None or None in needed.values():
            return None
        return InvoiceRow(
            line=row.line,
            invoice_number=number,
            currency=currency,
            issued_on=issued_on or due_on,
            due_on=due_on,
            is_open_amount=self._is_open_amount,
            **needed,
            **optional,
        )

    def _amounts(self, row: TableRow, currency: str | None) -> tuple[int | None, int | None]:
        """What was claimed and what was paid of it, where the file may tell what is open instead."""

        def money(cell: Cell) -> int:
            return self._amount(cell, currency)

        if self._is_open_amount:
            return self._field(row, "amount_open", money, None), 0
        amount = self._field(row, "amount", money, None)
        paid = self._field(row, "amount_paid", money, None)
        still_open = self._field(row, "amount_open", money, None)
        if paid is None and still_open is not None and amount is not None:
            paid = amount - still_open
        return amount, paid or 0

    def _due_after(self, issued_on: date | None) -> date | None:
        if issued_on is None or self._defaults.due_days is None:
            return None
        return issued_on + timedelta(days=self._defaults.due_days)

    def _cell(self, row: TableRow, name: str) -> tuple[str, Cell]:
        """The first of the field's columns that holds anything, and what it holds."""
        columns = self._columns.get(name, ())
        for column in columns:
            cell = row.cells.get(column, "")
            if isinstance(cell, Broken) or as_text(cell).strip():
                return column, cell
        return (columns[0] if columns else name), ""

    def _field(self, row: TableRow, name: str, check: Callable[[Cell], T], missing: T | None) -> T | None:
        column, cell = self._cell(row, name)
        if isinstance(cell, Broken):
            self._fault(row.line, column, cell.code, cell.message)
            return None
        if cell == "" or as_text(cell).strip() == "":
            if missing is None and (name in REQUIRED or (name == "amount_open" and self._is_open_amount)):
                self._fault(row.line, column, "missing", _CURES.get(name, "must not be empty"))
            return missing
        value = as_text(cell)[:LONGEST_TOLD]
        try:
            return check(cell)
        except FieldError as error:
            self._fault(row.line, column, error.code, error.reason, value)
        except AmountError as error:
            code = "unknown_currency" if name == "currency" else "amount"
            self._fault(row.line, column, code, str(error), value)
        except DateError as error:
            self._fault(row.line, column, "date", str(error), value)
        except UsageError as error:
            self._fault(row.line, column, "invalid", str(error), value)
        return None

    def _text(self, cell: Cell) -> str:
        text = as_text(cell).strip()
        return unquoted(text) if self._layout.is_quoted and isinstance(cell, str) else text

    def _day(self, cell: Cell) -> date:
        if isinstance(cell, date):
            return cell
        if isinstance(cell, Decimal):
            raise DateError(f"{as_text(cell)} is a number; give the cell the format of a date")
        if self._layout.dates == "utc" and (day := parse_utc(as_text(cell), self._defaults.timezone)) is not None:
            return day
        return parse_day(as_text(cell), self._locale)

    def _amount(self, cell: Cell, currency: str | None) -> int:
        if isinstance(cell, Decimal):
            return to_minor(cell, currency or "EUR")
        text = as_text(cell).strip()
        if self._layout.amounts == "en":
            text = without_symbol(text)
        return parse_major(text, currency or "EUR", self._amount_locale)

    def _fault_of(self, line: int, name: str, code: str, message: str) -> None:
        self._fault(line, next(iter(self._columns.get(name, ())), name), code, message)

    def _fault(self, line: int, column: str, code: str, message: str, value: str = "") -> None:
        self.faults.append(RowFault(line, column, code, message, value))
