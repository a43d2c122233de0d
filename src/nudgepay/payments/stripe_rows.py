"""An invoice as Stripe's API shows it becomes a checked row, or faults that name it and their cure. Pure.

An invoice that Stripe debits by itself has no due date: it is due on the day it was issued. Days are those of the
business's time zone.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from nudgepay.errors import UsageError
from nudgepay.invoices.importing.faults import RowFault
from nudgepay.invoices.importing.rows import Defaults, InvoiceRow
from nudgepay.invoices.validation import (
    MAX_NUMBER,
    FieldError,
    clean_country,
    clean_email,
    clean_line,
    clean_locale,
)
from nudgepay.money import ensure_currency
from nudgepay.payments.checkouts import minor_units

Json = dict[str, Any]
T = TypeVar("T")


class InvoiceReader:
    """Reads invoices of one account, and collects their faults. A row's line is the invoice's place in the list."""

    def __init__(self, *, defaults: Defaults) -> None:
        """`defaults`: what a client has when Stripe does not say."""
        self._defaults = defaults
        self._zone = ZoneInfo(defaults.timezone)
        self.faults: list[RowFault] = []

    def read(self, document: Json, line: int) -> InvoiceRow | None:
        """The row, or None when it has faults. What was paid already is left to the invoice's payments."""
        before = len(self.faults)
        customer = document.get("customer")
        customer = customer if isinstance(customer, dict) else {"id": customer}
        read = _Fields(document, line, self.faults)
        if document.get("status") == "draft":
            read.fault("status", "draft", "is a draft: finalize it at Stripe, or delete it")
        email = read.field("customer_email", clean_email, "give its customer an e-mail address at Stripe")
        number = read.field(
            "number", lambda text: clean_line(text, "number", longest=MAX_NUMBER), "finalize it at Stripe"
        )
        currency = read.field("currency", lambda text: ensure_currency(text.upper()), "bill in an ISO 4217 currency")
        amount = self._amount(document, currency, read)
        issued_on = self._day(document, "effective_at", "finalized_at", "created")
        due_on = self._day(document, "due_date") or issued_on
        if issued_on is None or due_on is None:
            read.fault("created", "missing", "has no date: look at it at Stripe")
        if len(self.faults) > before or None in {email, number, currency, amount, issued_on, due_on}:
            return None
        return InvoiceRow(
            line=line,
            client_name=_line(document.get("customer_name"), "customer_name") or str(email),
            client_email=str(email),
            client_locale=_first_of(customer.get("preferred_locales"), clean_locale) or self._defaults.locale,
            client_timezone=self._defaults.timezone,
            client_country=_country(document) or self._defaults.country,
            client_external_id=str(customer["id"]) if customer.get("id") else None,
            invoice_number=str(number),
            external_id=str(document["id"]),
            description=_line(document.get("description"), "description"),
            issued_on=issued_on or date.min,
            due_on=due_on or date.min,
            currency=str(currency),
            amount=amount or 0,
            amount_paid=0,
        )

    def _amount(self, document: Json, currency: str | None, read: "_Fields") -> int | None:
        amount = minor_units(document.get("amount_due"), currency or "EUR")
        if amount is None or amount <= 0:
            read.fault("amount_due", "amount", "has no amount that can be owed: look at it at Stripe")
        return amount

    def _day(self, document: Json, *names: str) -> date | None:
        """The first instant (seconds since 1970) that is there, as a day of the business."""
        places = {**(document.get("status_transitions") or {}), **document}
        for name in names:
            seconds = places.get(name)
            if isinstance(seconds, int) and 0 < seconds < 1 << 34:
                return datetime.fromtimestamp(seconds, UTC).astimezone(self._zone).date()
        return None


class _Fields:
    """Fields of one document; each fault names Stripe's id and no datum of a person."""

    def __init__(self, document: Json, line: int, faults: list[RowFault]) -> None:
        self._document = document
        self._line = line
        self._faults = faults

    def field(self, name: str, check: Callable[[str], str], cure: str) -> str | None:
        text = self._document.get(name)
        if not isinstance(text, str) or not text.strip():
            self.fault(name, "missing", f"has no {name}: {cure}")
            return None
        try:
            return check(text.strip())
        except UsageError as error:
            code = error.code if isinstance(error, FieldError) else "invalid"
            self.fault(name, code, f"has a {name} that cannot be used: {cure}")
            return None

    def fault(self, name: str, code: str, message: str) -> None:
        self._faults.append(RowFault(self._line, name, code, f"{self._document.get('id')} {message}"))


def _line(value: Any, name: str) -> str | None:
    """One line of text, or None for what is none."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    try:
        return clean_line(text[:200], name) if text else None
    except UsageError:
        return None


def _first_of(values: Any, check: Callable[[str], T]) -> T | None:
    for value in values if isinstance(values, list) else []:
        try:
            return check(str(value))
        except UsageError:
            continue
    return None


def _country(document: Json) -> str | None:
    address = document.get("customer_address")
    return _first_of([address.get("country")], clean_country) if isinstance(address, dict) else None
