"""Amounts and days as a person types them into a form, in the person's own way of writing."""

from datetime import date

from babel.numbers import format_decimal

from nudgepay.money import AmountError, babel_locale, exponent, parse_major, to_major, without_symbol
from nudgepay.web.ui.page import Page


class BadField(ValueError):
    """A field cannot be used; the sentence is shown beside it."""


def typed_amount(text: str, currency: str, page: Page) -> int:
    """Minor units, positive; raises BadField with an example of how to write it."""
    try:
        minor = parse_major(without_symbol(text), currency, page.locale)
    except AmountError:
        minor = 0
    if minor <= 0:
        example = shown_amount(123_456, currency, page)
        raise BadField(page.gettext("Write an amount such as %(example)s.") % {"example": example})
    return minor


def shown_amount(minor: int, currency: str, page: Page) -> str:
    """What a form shows for an amount, to be read back by `typed_amount`: without symbol and groups."""
    digits = exponent(currency)
    pattern = "#0." + "0" * digits if digits else "#0"
    return format_decimal(to_major(minor, currency), format=pattern, locale=babel_locale(page.locale))


def typed_day(text: str, page: Page) -> date:
    """A day as a date field sends it; raises BadField."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BadField(page.gettext("Choose a day, such as 2026-11-24.")) from None
