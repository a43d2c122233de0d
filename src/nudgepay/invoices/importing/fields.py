"""From cells to a checked row: every field that is wrong is named, not only the first."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from nudgepay.errors import UsageError
from nudgepay.invoices.importing.conventions import DateError, parse_day
from nudgepay.invoices.importing.faults import RowFault
from nudgepay.invoices.importing.reading import RawRow
from nudgepay.invoices.validation import (
    MAX_NUMBER,
    FieldError,
    clean_country,
    clean_email,
    clean_line,
    clean_locale,
    clean_timezone,
)
from nudgepay.money import AmountError, ensure_currency, parse_major

REQUIRED = ("client_name", "client_email", "invoice_number", "due_on", "currency", "amount")
OPTIONAL = (
    "client_locale",
    "client_timezone",
    "client_country",
    "client_external_id",
    "issued_on",
    "amount_paid",
    "external_id",
    "description",
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a client has when the file does not say."""

    locale: str
    timezone: str
    country: str


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """One checked row; amounts in minor units."""

    line: int
    client_name: str
    client_email: str
    client_locale: str
    client_timezone: str
    client_country: str
    client_external_id: str | None
    invoice_number: str
    external_id: str | None
    description: str | None
    issued_on: date
    due_on: date
    currency: str
    amount: int
    amount_paid: int


def column_names(header: Iterable[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Canonical name to the file's name; `mapping` is the file's name to the canonical one.

    Raises UsageError for an unknown canonical name or a missing column.
    """
    known = {*REQUIRED, *OPTIONAL}
    for column, field in mapping.items():
        if field not in known:
            raise UsageError(f"--map {column}={field}: {field!r} is no field; fields are {', '.join(sorted(known))}")
    names = {mapping.get(column, column.strip().lower().replace(" ", "_")): column for column in header}
    missing = [field for field in REQUIRED if field not in names]
    if missing:
        raise UsageError(f"the file has no column {', '.join(missing)}; name it with --map COLUMN=FIELD")
    return {field: column for field, column in names.items() if field in known}


class RowReader:
    """Reads rows of one file with one set of conventions, and collects their faults."""

    def __init__(self, columns: Mapping[str, str], *, locale: str | None, defaults: Defaults) -> None:
        """`columns` is canonical name to file's name; `locale` the file's conventions, None for ISO and plain."""
        self._columns = columns
        self._locale = clean_locale(locale) if locale else None
        self._defaults = defaults
        self.faults: list[RowFault] = []
        self._numbers: dict[str, int] = {}

    def read(self, rows: Iterable[RawRow]) -> Iterator[InvoiceRow]:
        """The rows without a fault."""
        for row in rows:
            before = len(self.faults)
            made = self._row(row)
            if made is not None and len(self.faults) == before:
                yield made

    def _row(self, row: RawRow) -> InvoiceRow | None:
        def field(name: str, check: Callable[[str], T], missing: T | None = None) -> T | None:
            return self._field(row, name, check, missing)

        number = field("invoice_number", lambda text: clean_line(text, "invoice_number", longest=MAX_NUMBER))
        currency = field("currency", ensure_currency)
        due_on = field("due_on", lambda text: parse_day(text, self._locale))
        needed: dict[str, Any] = {
            "client_name": field("client_name", lambda text: clean_line(text, "client_name")),
            "client_email": field("client_email", clean_email),
            "client_locale": field("client_locale", clean_locale, self._defaults.locale),
            "client_timezone": field("client_timezone", clean_timezone, self._defaults.timezone),
            "client_country": field("client_country", clean_country, self._defaults.country),
            "issued_on": field("issued_on", lambda text: parse_day(text, self._locale), due_on),
            "amount": field("amount", lambda text: self._amount(text, currency)),
            "amount_paid": field("amount_paid", lambda text: self._amount(text, currency), 0),
        }
        optional: dict[str, Any] = {
            "client_external_id": field("client_external_id", lambda text: clean_line(text, "client_external_id")),
            "external_id": field("external_id", lambda text: clean_line(text, "external_id")),
            "description": field("description", lambda text: clean_line(text, "description", longest=500)),
        }
        if number is None or currency is None or due_on is None or None in needed.values():
            return None
        self._check_amounts(row, needed["amount"], needed["amount_paid"])
        self._check_number(row, number)
        return InvoiceRow(
            line=row.line, invoice_number=number, currency=currency, due_on=due_on, **needed, **optional
        )

    def _field(self, row: RawRow, name: str, check: Callable[[str], T], missing: T | None) -> T | None:
        column = self._columns.get(name)
        text = (row.cells.get(column) or "").strip() if column is not None else ""
        if not text:
            if name in REQUIRED:
                self._fault(row, name, "missing", "must not be empty")
            return missing
        try:
            return check(text)
        except FieldError as error:
            self._fault(row, name, error.code, error.reason)
        except AmountError as error:
            self._fault(row, name, "amount", str(error))
        except DateError as error:
            self._fault(row, name, "date", str(error))
        except UsageError as error:
            self._fault(row, name, "invalid", str(error))
        return None

    def _amount(self, text: str, currency: str | None) -> int:
        return parse_major(text, currency or "EUR", self._locale)

    def _check_amounts(self, row: RawRow, amount: int, paid: int) -> None:
        if amount <= 0:
            self._fault(row, "amount", "not_positive", "must be more than zero")
        if not 0 <= paid <= max(amount, 0):
            self._fault(row, "amount_paid", "out_of_range", "must lie between zero and the amount")

    def _check_number(self, row: RawRow, number: str) -> None:
        first = self._numbers.setdefault(number, row.line)
        if first != row.line:
            self._fault(row, "invoice_number", "number_twice", f"is the number of line {first} already")

    def _fault(self, row: RawRow, name: str, code: str, message: str) -> None:
        self.faults.append(RowFault(row.line, self._columns.get(name, name), code, message))
