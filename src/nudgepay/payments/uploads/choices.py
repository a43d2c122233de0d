"""What the sender of a file says of it: how it is read, and what holds where it is silent. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from nudgepay.errors import UsageError
from nudgepay.invoices.importing.columns import ensure_fields
from nudgepay.invoices.importing.layouts import PLAIN
from nudgepay.invoices.importing.recognising import Wishes
from nudgepay.invoices.importing.rows import Defaults
from nudgepay.invoices.validation import FieldError, clean_line, clean_locale
from nudgepay.money import ensure_currency

BY_COLUMNS = "columns"
AS_FOUND = ""
MOST_DUE_DAYS = 365
LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Choices:
    """`how` is AS_FOUND, BY_COLUMNS, `saved:NAME` or `preset:NAME`; `columns` is the file's names to fields.

    `locale`: whose conventions amounts and dates follow, empty for ISO and plain; `currency` and `due_days` hold for
    rows without their own.
    """

    how: str = AS_FOUND
    columns: Mapping[str, str] = field(default_factory=dict)
    locale: str = ""
    currency: str = ""
    due_days: int | None = None
    sheet: str = ""

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    def wishes(self) -> Wishes:
        """What the reading is told."""
        kind, _, name = self.how.partition(":")
        sheet = self.sheet or None
        if self.how == BY_COLUMNS:
            return Wishes(self.columns, preset=PLAIN, sheet=sheet)
        return Wishes({}, name if kind == "saved" else None, name if kind == "preset" else None, sheet)

    def defaults(self, base: Defaults) -> Defaults:
        """What holds for rows that do not say."""
        return replace(base, currency=self.currency or None, due_days=self.due_days)


def checked_choices(
    *, how: str, columns: Mapping[str, str], locale: str, currency: str, due_days: str, sheet: str
) -> Choices:
    """The choices of a form in their normal form; raises FieldError, and UsageError for what is no field."""
    ensure_fields(columns)
    return Choices(
        how=how,
        columns=dict(columns),
        locale=clean_locale(locale) if locale else "",
        currency=_currency(currency),
        due_days=_days(due_days),
        sheet=clean_line(sheet, "sheet") if sheet else "",
    )


def _currency(text: str) -> str:
    try:
        return ensure_currency(text.strip().upper()) if text.strip() else ""
    except UsageError as error:
        raise FieldError("currency", "unknown_currency", str(error)) from error


def _days(text: str) -> int | None:
    if not text.strip():
        return None
    days = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else -1
    if not 0 <= days <= MOST_DUE_DAYS:
        raise FieldError("due_days", "not_days", f"must be a number of days from 0 to {MOST_DUE_DAYS}")
    return days
