"""The fields of an invoice as a person types them: read in the person's language, refused beside the field."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from babel.numbers import format_decimal

from nudgepay.invoices.editing import InvoiceFields
from nudgepay.invoices.validation import FieldError
from nudgepay.money import AmountError, babel_locale, ensure_currency, exponent, parse_major, to_major
from nudgepay.web.ui.invoices.words import PROBLEMS
from nudgepay.web.ui.page import Page

NAMES = ("number", "description", "amount_due", "currency", "issued_on", "due_on", "schedule_name", "external_id")
LONGEST = 1_000


class Unfit(Exception):
    """What was typed is no invoice yet. `problems` says why, by field."""

    def __init__(self, problems: dict[str, str]) -> None:
        """A sentence for each field."""
        self.problems = problems
        super().__init__(", ".join(problems))


@dataclass(frozen=True, slots=True)
class Typed:
    """The form's texts, and of what they were when the form was made."""

    texts: Mapping[str, str]
    was: Mapping[str, str]

    @classmethod
    def of(cls, form: Mapping[str, Any]) -> "Typed":
        """As sent. A `was` that is none counts as nothing having been typed."""
        texts = {name: str(form.get(name, ""))[:LONGEST].replace("\x00", "") for name in NAMES}
        try:
            said = json.loads(str(form.get("was", ""))[:8000])
        except (ValueError, RecursionError):
            said = None
        known = said if isinstance(said, dict) else {}
        return cls(texts, {name: str(known.get(name, texts[name])) for name in NAMES})

    @property
    def changed(self) -> frozenset[str]:
        """The fields in which something was typed."""
        return frozenset(name for name in NAMES if self.texts[name] != self.was[name])

    def over(self, current: Mapping[str, str]) -> "Typed":
        """What was typed, over what stands there now: what was not touched is taken from there."""
        merged = {name: self.texts[name] if name in self.changed else current[name] for name in NAMES}
        return Typed(merged, dict(current))

    @property
    def seen(self) -> str:
        """For the hidden field that remembers what the form showed first."""
        return json.dumps(dict(self.was), ensure_ascii=False)


def texts_of(page: Page, fields: InvoiceFields) -> dict[str, str]:
    """The fields as they stand, as the person would type them."""
    return {
        "number": fields.number,
        "description": fields.description or "",
        "amount_due": amount_text(page, fields.amount_due, fields.currency),
        "currency": fields.currency,
        "issued_on": fields.issued_on.isoformat(),
        "due_on": fields.due_on.isoformat(),
        "schedule_name": fields.schedule_name or "",
        "external_id": fields.external_id or "",
    }


def amount_text(page: Page, minor: int, currency: str) -> str:
    """An amount without its currency, in the person's own signs."""
    digits = exponent(currency)
    pattern = "0." + "0" * digits if digits else "0"
    return format_decimal(to_major(minor, currency), format=pattern, locale=babel_locale(page.locale))


def read(page: Page, typed: Typed, *, client_id: int) -> InvoiceFields:
    """The fields; raises Unfit with every field that cannot be read."""
    texts = {name: text.strip() for name, text in typed.texts.items()}
    problems = {} if texts["number"] else {"number": problem(page, "number", "missing")}
    currency, amount = _money(page, texts, problems)
    issued_on, due_on = (_day(page, texts, name, problems) for name in ("issued_on", "due_on"))
    if problems:
        raise Unfit(problems)
    fields = InvoiceFields(
        client_id=client_id,
        number=texts["number"],
        currency=currency,
        amount_due=amount,
        issued_on=issued_on,
        due_on=due_on,
        description=texts["description"] or None,
        external_id=texts["external_id"] or None,
        schedule_name=texts["schedule_name"] or None,
    )
    try:
        return fields.checked()
    except FieldError as error:
        raise Unfit(said(page, error)) from error


def _money(page: Page, texts: Mapping[str, str], problems: dict[str, str]) -> tuple[str, int]:
    try:
        currency = ensure_currency(texts["currency"])
    except AmountError:
        problems["currency"] = problem(page, "currency", "unknown_currency")
        return "", 0
    try:
        return currency, parse_major(texts["amount_due"], currency, page.locale)
    except AmountError:
        example = amount_text(page, 123_456, currency)
        problems["amount_due"] = problem(page, "amount_due", "amount", example=example)
        return currency, 0


def _day(page: Page, texts: Mapping[str, str], name: str, problems: dict[str, str]) -> date:
    try:
        return date.fromisoformat(texts[name])
    except ValueError:
        problems[name] = problem(page, name, "date")
        return date.min


def said(page: Page, error: FieldError, *, paid: str = "") -> dict[str, str]:
    """A refusal of the books as a sentence beside its field."""
    return {error.field: problem(page, error.field, error.code, paid=paid)}


def problem(page: Page, field: str, code: str, **values: str) -> str:
    """What is wrong with a field, and the cure, in the person's language."""
    told = PROBLEMS.get(f"{field}.{code}") or PROBLEMS.get(code) or PROBLEMS["invalid"]
    return page.gettext(told) % values
