"""A value as a cell: amounts in major units, ISO dates, and no text that a spreadsheet could take for a formula.

After OWASP's "CSV Injection" and ASVS 1.2.10: an apostrophe goes before the text. It also goes before a text that
begins with apostrophes and such a sign, so that reading an export takes off exactly what writing put on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from nudgepay.invoices.importing.cells import TRIGGERS
from nudgepay.money import to_major

_RUNS = re.compile(f"\\s*'*[{TRIGGERS}]")

Value = str | int | Decimal | date | datetime | None


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of export: its name, its SQL, its columns in order, and which of them are minor units.

    Amounts are turned into major units of the row's `currency`.
    """

    name: str
    query: str
    columns: tuple[str, ...]
    amounts: frozenset[str] = frozenset()

    def values(self, row: Mapping[str, Any]) -> list[Value]:
        """The row's cells in the order of the columns."""
        return [
            to_major(row[name], row["currency"]) if name in self.amounts and row[name] is not None else row[name]
            for name in self.columns
        ]


def is_risky(text: str) -> bool:
    """True when a spreadsheet might calculate or run the text."""
    return _RUNS.match(text) is not None


def csv_text(value: Value) -> str:
    """The cell of a CSV file."""
    if isinstance(value, str):
        return f"'{value}" if is_risky(value) else value
    return plain_text(value)


def plain_text(value: Value) -> str:
    """The value in ISO form, exact; an instant in UTC."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date) else str(value)
