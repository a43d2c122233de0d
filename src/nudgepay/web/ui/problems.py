"""What is wrong with a field or a cell, in the person's language. The codes are the domain's own."""

from typing import TYPE_CHECKING

from nudgepay.errors import UsageError
from nudgepay.invoices.checking import FieldErrors
from nudgepay.invoices.validation import FieldError
from nudgepay.web.ui.words import N_

if TYPE_CHECKING:
    from nudgepay.web.ui.page import Page

SENTENCES: dict[str, str] = {
    "missing": N_("Fill this in."),
    "too_long": N_("This is too long; shorten it."),
    "control_character": N_("It holds a line break or an invisible character; remove it."),
    "not_an_address": N_("Give one e-mail address such as name@example.com."),
    "unknown_timezone": N_("Choose a time zone such as Europe/Berlin."),
    "unknown_locale": N_("Choose a language such as en or de-AT."),
    "unknown_country": N_("Choose a country such as DE."),
    "unknown_role": N_("Choose billing, approver or copy."),
    "unknown_schedule": N_("There is no such schedule; choose one of the list."),
    "taken": N_("Another client has this key; choose another one."),
    "address_taken": N_("This client has, or had, a contact with this address; add that one again instead."),
    "out_of_range": N_("The amount must be 0 or more, and below the product's limit."),
    "amount": N_("This is no amount; write it such as 1234.56, or choose whose conventions the file follows."),
    "not_an_amount": N_("Write an amount such as 20 or 20.50."),
    "date": N_("This is no date, or could be two; write 2026-03-31, or choose whose conventions the file follows."),
    "not_a_day": N_("Choose a day from today on."),
    "invalid": N_("This value is not known."),
    "unknown_currency": N_("This is no currency such as EUR."),
}
"""What is not here is shown in the domain's own words."""


def sentence(page: "Page", code: str, otherwise: str) -> str:
    """What to say of a code."""
    found = SENTENCES.get(code)
    return page.gettext(found) if found else otherwise


class Problems(dict[str, str]):
    """What is wrong by field; nothing is wrong with a field that is not here."""

    def __missing__(self, field: str) -> str:
        """The empty sentence."""
        return ""


def problems_of(page: "Page", error: UsageError | None) -> Problems:
    """Each field that was refused, and why. What names no field stays an error of the whole request."""
    if error is None:
        return Problems()
    errors = error.errors if isinstance(error, FieldErrors) else (error,)
    if not all(isinstance(one, FieldError) for one in errors):
        raise error
    return Problems(
        {one.field: sentence(page, one.code, one.reason) for one in errors if isinstance(one, FieldError)}
    )
