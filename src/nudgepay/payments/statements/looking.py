"""A first look at a statement's file, without reading all of it: its format, or its columns and some of its rows."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from nudgepay.errors import UsageError
from nudgepay.invoices.importing.cells import as_text
from nudgepay.invoices.importing.faults import RowFault, Unreadable
from nudgepay.invoices.importing.reading import decode, header_names, read_records
from nudgepay.invoices.importing.samples import Column, likely_header, sample_columns
from nudgepay.payments.statements.bank_csv import PREAMBLE, find_layout
from nudgepay.payments.statements.camt053 import peek_camt053
from nudgepay.payments.statements.choices import StatementChoices
from nudgepay.payments.statements.layouts import REQUIRED, Layout
from nudgepay.payments.statements.reading import is_xml

SAMPLES = 3
_GUESSES = {
    "booked_on": ("buchungstag", "buchungsdatum", "booking date", "booked on", "date", "datum", "valuta"),
    "amount": ("betrag", "amount", "umsatz", "credit", "haben"),
    "currency": ("währung", "waehrung", "currency"),
    "counterparty": ("auftraggeber", "zahlungspflichtig", "payer", "name", "counterparty", "partner"),
    "purpose": ("verwendungszweck", "purpose", "description", "buchungstext", "reference", "details"),
    "reference": ("end-to-end", "kundenreferenz", "ende-zu-ende"),
}
"""What the name of a column holds that is likely a field; a person looks at it before it counts."""


@dataclass(frozen=True, slots=True)
class StatementLook:
    """What a file looks like. `lacking` are required fields without a column; `layout` is how it would be read."""

    layout: str
    columns: tuple[Column, ...] = ()
    lacking: tuple[str, ...] = ()
    is_named: bool = False

    @property
    def has_columns(self) -> bool:
        """True for a CSV file: what each column is can be said."""
        return bool(self.columns)


def look_at_statement(raw: bytes, *, choices: StatementChoices, saved: Sequence[Layout]) -> StatementLook:
    """The first look; raises Unreadable for what is no statement."""
    if is_xml(raw):
        peek_camt053(raw)
        return StatementLook("camt.053")
    text, _ = decode(raw)
    own = choices.layout()
    try:
        layout, above = find_layout(text, {}, named=[own] if own is not None else saved)
    except UsageError:
        return _unknown(text)
    columns = _columns(text, above, {column: field for field, column in layout.columns.items()})
    return StatementLook(layout.name, columns, is_named=layout.name in {one.name for one in saved})


def _columns(text: str, above: int, fields: dict[str, str]) -> tuple[Column, ...]:
    records = read_records(io.StringIO("".join(io.StringIO(text, newline="").readlines()[above:]), newline=""))
    first = list(islice(records, 1 + SAMPLES))
    return sample_columns(header_names(first[0]), fields, first[1:])


def _unknown(text: str) -> StatementLook:
    """The header is where the table begins; what its names say is proposed to a person."""
    first = list(islice(read_records(io.StringIO(text, newline="")), PREAMBLE + SAMPLES))
    if not first:
        raise Unreadable(RowFault(1, "", "empty", "the file holds no table"))
    at = likely_header(first[:PREAMBLE])
    names = header_names(first[at])
    if sum(bool(as_text(cell).strip()) for cell in first[at].cells) < 2:
        raise Unreadable(RowFault(1, "", "no_statement", "holds neither a camt.053 statement nor a table of columns"))
    columns = sample_columns(names, _guessed(names), first[at + 1 : at + 1 + SAMPLES])
    return StatementLook("csv", columns, lacking=REQUIRED)


def _guessed(names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for field, words in _GUESSES.items():
        fits = (name for word in words for name in names if word in name.casefold() and name not in found)
        column = next(fits, None)
        if column is not None:
            found[column] = field
    return found
