"""A bank's CSV file to lines: known layouts by themselves, others by `--map`; all of it, or every fault by line."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar

from nudgepay.errors import UsageError
from nudgepay.invoices.importing.conventions import DateError, parse_day
from nudgepay.invoices.importing.faults import RowFault, Unreadable
from nudgepay.invoices.importing.reading import SEPARATORS, RawRow, decode, read_rows
from nudgepay.invoices.validation import clean_locale
from nudgepay.money import AmountError, ensure_currency, parse_major
from nudgepay.payments.statements.layouts import FIELDS, REQUIRED, Layout, known_layout
from nudgepay.payments.statements.lines import ReadLine, ReadStatement, clean_reference, clean_text

PREAMBLE = 30
"""Lines above the header in which banks write the account and the balance."""
MAX_FAULTS = 1_000
LONGEST_VALUE = 100
_SHORT_YEAR = re.compile(r"(\d{1,2}\s*[./-]\s*\d{1,2}\s*[./-]\s*)(\d{2})")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
T = TypeVar("T")


class UnknownLayout(UsageError):
    """The file's columns are none of a known bank, and nobody has named them."""


def read_bank_csv(
    raw: bytes,
    *,
    mapping: Mapping[str, str] | None = None,
    locale: str | None = None,
    currency: str = "",
    account: str = "",
    named: Sequence[Layout] = (),
) -> tuple[list[ReadStatement], list[RowFault]]:
    """The statements of a file, one for each account that it names, and what is wrong in it.

    `mapping` is the file's column to one of FIELDS; `currency` and `account` are those of a file that does not say;
    `named` are layouts of which people said what each column is; they come before the known ones.
    Raises UsageError for columns that are not found and Unreadable where the table breaks.
    """
    text, _ = decode(raw)
    known_locale = clean_locale(locale) if locale else None
    known_currency = ensure_currency(currency) if currency else ""
    layout, above = find_layout(text, mapping or {}, locale=known_locale, currency=known_currency, named=named)
    head = head_of(text)[:above]
    reader = _RowReader(layout, account or _account_above(head))
    try:
        for row in read_rows(text[sum(len(line) for line in head) :]):
            reader.read(RawRow(row.line + above, row.cells))
    except Unreadable as error:
        raise Unreadable(replace(error.fault, line=error.fault.line + above)) from error
    return list(reader.statements.values()) or [ReadStatement(layout.name, reader.account)], reader.faults


def find_layout(
    text: str,
    mapping: Mapping[str, str],
    *,
    locale: str | None = None,
    currency: str = "",
    named: Sequence[Layout] = (),
) -> tuple[Layout, int]:
    """The file's layout, and how many lines stand above its header; raises UsageError where none is found."""
    ensure_fields(mapping)
    for above, header in _headers(text):
        if mapping:
            found = Layout("csv", {}) if set(mapping) <= header else None
            found = known_layout(header) or found
        else:
            found = known_layout(header, named) or _canonical(header)
        if found is None:
            continue
        told = {field: column for column, field in mapping.items() if column in header}
        columns = {**found.columns, **told}
        missing = [field for field in REQUIRED if field not in columns]
        if missing:
            raise UsageError(f"no column is {' and '.join(missing)}; name it with --map COLUMN=FIELD")
        changed = replace(found, columns=columns, locale=locale or found.locale, currency=currency or found.currency)
        return changed, above
    if mapping:
        raise UsageError(f"--map: no line of the file has the columns {', '.join(sorted(mapping))}")
    raise UnknownLayout(
        "the columns are none of a known bank; name them: --map COLUMN=booked_on --map COLUMN=amount, and"
        f" where the file has them {', '.join(field for field in FIELDS if field not in REQUIRED)}"
    )


def ensure_fields(mapping: Mapping[str, str]) -> None:
    """Raises UsageError when a column is mapped to what is no field of a statement."""
    for column, field in mapping.items():
        if field not in FIELDS:
            raise UsageError(f"--map {column}={field}: {field!r} is no field; fields are {', '.join(FIELDS)}")


def _canonical(header: set[str]) -> Layout | None:
    columns = {field: field for field in FIELDS if field in header}
    return Layout("csv", columns) if set(REQUIRED) <= columns.keys() else None


def head_of(text: str) -> list[str]:
    """The first lines with their ends, among which the header must be."""
    end = "\n" if "\n" in text else "\r"
    return [line + end for line in text[:200_000].split(end)[:PREAMBLE]]


def _headers(text: str) -> Iterator[tuple[int, set[str]]]:
    """What could be the header: the cells of each of the first lines, by each separator."""
    for above, line in enumerate(head_of(text)):
        for separator in SEPARATORS:
            if separator in line:
                yield above, _cells(line.strip("\r\n"), separator)


def _cells(line: str, separator: str) -> set[str]:
    try:
        return {cell.strip() for cell in next(csv.reader([line], delimiter=separator, strict=True), [])}
    except csv.Error:
        return set()


def _account_above(lines: list[str]) -> str:
    found = (_IBAN.search(line.replace(" ", "")) for line in lines)
    return next((match[0] for match in found if match), "")


class _RowReader:
    """Reads rows of one layout, sorts them by account and collects their faults."""

    def __init__(self, layout: Layout, account: str) -> None:
        self.account = account
        self.statements: dict[str, ReadStatement] = {}
        self.faults: list[RowFault] = []
        self._layout = layout

    def read(self, row: RawRow) -> None:
        layout = self._layout
        account = self.account or clean_text(row.cells.get(layout.account) or "").replace(" ", "")
        statement = self.statements.setdefault(account, ReadStatement(layout.name, account))
        if layout.state and (row.cells.get(layout.state) or "").strip() not in layout.booked:
            statement.pending += 1
            return
        currency = self._field(row, "currency", ensure_currency, layout.currency)
        amount = self._field(row, "amount", lambda text: self._amount(text, currency or "EUR"), None)
        booked_on = self._field(row, "booked_on", self._day, None)
        if currency is None or amount is None or booked_on is None:
            return
        if amount <= 0:
            statement.debits += 1
            return
        line = ReadLine(
            booked_on=booked_on,
            amount=amount,
            currency=currency,
            counterparty=clean_text(self._cell(row, "counterparty")),
            purpose=clean_text(self._cell(row, "purpose")),
            reference=clean_reference(self._cell(row, "reference")),
            bank_id=clean_text(self._cell(row, "id")),
        )
        statement.lines.append(line)

    def _cell(self, row: RawRow, name: str) -> str:
        column = self._layout.columns.get(name)
        return (row.cells.get(column) or "").strip() if column is not None else ""

    def _field(self, row: RawRow, name: str, check: Callable[[str], T], missing: str | None) -> T | None:
        text = self._cell(row, name) or missing or ""
        if not text:
            is_unsaid = name == "currency" and name not in self._layout.columns
            hint = "; name it with --currency" if name == "currency" else ""
            self._fault(row, name, "no_currency" if is_unsaid else "missing", f"must not be empty{hint}")
            return None
        try:
            return check(text)
        except AmountError as error:
            self._fault(row, name, "amount", str(error), value=text)
        except DateError as error:
            self._fault(row, name, "date", str(error), value=text)
        except UsageError as error:
            self._fault(row, name, "invalid", str(error), value=text)
        return None

    def _amount(self, text: str, currency: str) -> int:
        bare = text.removesuffix("€").removesuffix(currency).rstrip().removeprefix("+")
        return parse_major(bare, currency, self._layout.locale)

    def _day(self, text: str) -> date:
        """The day of a date or instant; years of two digits are of this century, in the order of the locale."""
        written = text.split("T")[0].split(" ")[0] if text[:1].isdigit() and ":" in text else text
        short = _SHORT_YEAR.fullmatch(written)
        if short is not None and self._layout.locale is not None:
            written = f"{short[1]}20{short[2]}"
        return parse_day(written, self._layout.locale)

    def _fault(self, row: RawRow, name: str, code: str, message: str, *, value: str = "") -> None:
        if len(self.faults) >= MAX_FAULTS:
            raise Unreadable(RowFault(row.line, "", "too_many_faults", f"more than {MAX_FAULTS} faults; see above"))
        column = self._layout.columns.get(name, name)
        self.faults.append(RowFault(row.line, column, code, message, value[:LONGEST_VALUE]))
