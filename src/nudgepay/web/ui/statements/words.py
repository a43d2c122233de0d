"""Statements in words for a person: formats, fields, why a line was not booked, and what was found about it."""

from nudgepay.errors import NudgePayError
from nudgepay.payments.actions import CannotUndo, FactDiffers
from nudgepay.payments.statements.actions import LineDecided, NotAPayment, SameTransfer, WouldOverpay
from nudgepay.payments.statements.proposals import Amount
from nudgepay.sentences import Said
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.rendering import money
from nudgepay.web.ui.words import N_

BANKS = {
    "camt.053": "camt.053",
    "sparkasse-csv-camt": "Sparkasse (CSV-CAMT)",
    "dkb": "DKB",
    "n26": "N26",
    "wise": "Wise",
    "revolut": "Revolut",
    "revolut-business": "Revolut Business",
    "csv": "CSV",
}
"""Formats that are read without a word, by the names of their banks."""
FIELD_NAMES = {
    "booked_on": N_("Day of booking"),
    "amount": N_("Amount"),
    "currency": N_("Currency"),
    "counterparty": N_("Payer"),
    "purpose": N_("Purpose"),
    "reference": N_("Payer's reference"),
    "id": N_("The bank's own reference"),
}
REFUSALS: dict[type[NudgePayError], str] = {
    LineDecided: N_("Somebody has decided this line already, so nothing was done."),
    NotAPayment: N_(
        "This line takes money back. Undo the payment that it ends, then say that the line is not yours."
    ),
    WouldOverpay: N_("Less is open now than this would pay, or money would be left over. Look at the parts again."),
    SameTransfer: N_("A payment of this client over the same amount is on the books within three days of this one."),
    FactDiffers: N_("This line is on the books already with another client. Look at what came in."),
    CannotUndo: N_("This payment was taken back already."),
}


def format_title(page: Page, name: str) -> str:
    """A format by its bank; a mapping by the name that somebody gave it."""
    return BANKS.get(name) or page.gettext("your mapping %(name)s") % {"name": name}


def why_not(page: Page, error: NudgePayError) -> str:
    """Why nothing was booked."""
    found = next((text for kind, text in REFUSALS.items() if isinstance(error, kind)), None)
    return page.gettext(found) if found else str(error)


def in_words(page: Page, sentence: Said) -> str:
    """What the matching found, in the person's language and way of writing amounts."""
    values = {
        name: money(value.minor, value.currency, page) if isinstance(value, Amount) else value
        for name, value in sentence.values.items()
    }
    told = page.gettext(sentence.template)
    return told % values if values else told


def grouped(account: str) -> str:
    """An IBAN in fours; any other name of an account as it is."""
    is_iban = len(account) > 14 and account[:2].isalpha() and account[2:4].isdigit()
    return " ".join(account[at : at + 4] for at in range(0, len(account), 4)) if is_iban else account
