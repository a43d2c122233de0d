"""What happens next, in values for the page: the next letter in both people's time, or why nothing goes."""

from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from sqlalchemy.orm import Session

from nudgepay.invoices.models import Invoice
from nudgepay.money import babel_locale
from nudgepay.nudges.coming import Coming, coming_letter
from nudgepay.nudges.composing import contact_of
from nudgepay.nudges.queries import load_clients, rules_now
from nudgepay.nudges.terms import Terms
from nudgepay.nudges.timeline import UNPLANNABLE
from nudgepay.web.ui.page import Page


@dataclass(frozen=True, slots=True)
class Outlook:
    """`there` is the reader's local time in words; `others` are invoices that the same letter reminds of."""

    coming: Coming | None
    to: str = ""
    there: str = ""
    zone: str = ""
    others: tuple[tuple[int, str], ...] = ()


def outlook(page: Page, session: Session, invoice: Invoice, terms: Terms, *, released: bool = False) -> Outlook:
    """What the engine would do (as if the invoice were `released`); `coming` is None where impossible dates or an
    unknown zone keep it from it."""
    client = load_clients(session, [invoice.client_id], now=page.now)[invoice.client_id]
    if released:
        freed = (replace(one, amnesty=False) if one.id == invoice.id else one for one in client.invoices)
        client = replace(client, invoices=tuple(freed))
    rules = rules_now(session, terms.rules)
    try:
        coming = coming_letter(client, invoice.id, rules=rules, calendar=terms.calendar, now=page.now)
    except UNPLANNABLE:
        return Outlook(None)
    if coming.decision is None or coming.letter is None:
        return Outlook(coming)
    contact = contact_of(client, coming.letter)
    numbers = {one.id: one.number for one in client.invoices}
    named = dict.fromkeys(one.invoice_id for one in coming.letter.decisions if one.invoice_id != invoice.id)
    others = tuple((one, numbers[one]) for one in named)
    there = local_words(coming.decision.at, contact.timezone, page)
    return Outlook(coming, contact.name, there, contact.timezone, others)


def local_words(instant: datetime, zone_name: str, page: Page) -> str:
    """An instant where somebody else lives, in the person's language: Mon 5 Oct, 09:00."""
    local = instant.astimezone(ZoneInfo(zone_name))
    return format_datetime(local, "EEE d MMM, HH:mm", locale=babel_locale(page.locale))
