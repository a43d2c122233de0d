"""What the sender of a statement's file says of it. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nudgepay.errors import UsageError
from nudgepay.invoices.validation import FieldError, clean_line, clean_locale
from nudgepay.money import ensure_currency
from nudgepay.payments.statements.bank_csv import ensure_fields
from nudgepay.payments.statements.layouts import Layout, named_by_person

BY_COLUMNS = "columns"
AS_FOUND = ""
LONGEST_ACCOUNT = 64


@dataclass(frozen=True, slots=True)
class StatementChoices:
    """`how` is AS_FOUND or BY_COLUMNS; `columns` is the file's names to fields.

    `locale`: whose conventions amounts and dates follow; `currency` and `account` are those of a file that does not
    say.
    """

    how: str = AS_FOUND
    columns: Mapping[str, str] = field(default_factory=dict)
    locale: str = ""
    currency: str = ""
    account: str = ""

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    def layout(self) -> Layout | None:
        """What the person said of the columns, if they did."""
        if self.how != BY_COLUMNS:
            return None
        return named_by_person("csv", self.columns, locale=self.locale, currency=self.currency)


def checked_choices(
    *, how: str, columns: Mapping[str, str], locale: str, currency: str, account: str
) -> StatementChoices:
    """The choices of a form in their normal form; raises FieldError, and UsageError for what is no field."""
    ensure_fields(columns)
    for name in set(columns.values()):
        if list(columns.values()).count(name) > 1:
            raise FieldError("columns", "column_chosen_twice", f"{name}: two columns are chosen for it; choose one")
    return StatementChoices(
        how=how if how == BY_COLUMNS else AS_FOUND,
        columns=dict(columns),
        locale=clean_locale(locale) if locale else "",
        currency=_currency(currency),
        account=clean_line(account, "account", longest=LONGEST_ACCOUNT) if account.strip() else "",
    )


def _currency(text: str) -> str:
    try:
        return ensure_currency(text.strip().upper()) if text.strip() else ""
    except UsageError as error:
        raise FieldError("currency", "unknown_currency", str(error)) from error
