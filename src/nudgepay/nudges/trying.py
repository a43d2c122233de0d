"""A text on trial: the letter that it would make of a real invoice, or of an invented one, written to nobody.

It goes through the same composing and writing as a letter that leaves. Its links lead nowhere, so that a trial in a
mailbox can neither pay, nor answer, nor unsubscribe for the client.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from nudgepay.errors import Conflict, NotFound
from nudgepay.gateways.mail import BadAddress
from nudgepay.invoices.models import Invoice
from nudgepay.nudges.calendars import local_day
from nudgepay.nudges.composing import Draft, Particulars, input_of
from nudgepay.nudges.drafting import load_particulars
from nudgepay.nudges.facts import MANUAL, ClientFacts, ContactFacts, Decision, InvoiceFacts, Step, Tone
from nudgepay.nudges.holds import choose_recipient
from nudgepay.nudges.languages import pick_language
from nudgepay.nudges.letter import LetterInput, LetterLine, Recipient, WrittenLetter
from nudgepay.nudges.letter_text import LetterTemplate
from nudgepay.nudges.letter_values import Reading, operators_values
from nudgepay.nudges.mail_headers import LetterError
from nudgepay.nudges.mime import message_id
from nudgepay.nudges.plan import timeline_of
from nudgepay.nudges.previewing import LEADS_NOWHERE
from nudgepay.nudges.queries import load_clients
from nudgepay.nudges.terms import Terms
from nudgepay.nudges.texts import ensure_known
from nudgepay.nudges.timeline import UNPLANNABLE

NOBODY = uuid.UUID(int=0)
INVENTED: dict[str, tuple[Tone, int]] = {
    "before_due": ("friendly", -3),
    "due": ("friendly", 0),
    "overdue": ("firm", 3),
    "final": ("final", 7),
    MANUAL: ("friendly", 5),
}
"""The tone of each text and how many days after the due day it goes, where no schedule says so."""


class NothingToClaim(Conflict):
    """The invoice is settled, or the whole of it is disputed: no letter about it can be written."""


UNUSABLE = (LetterError, BadAddress, Conflict, NotFound)
"""What an invoice, a contact or a text that cannot be tried raises; trouble of the database is not among them."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One letter in preparation. `at` is the instant it would go; `step` its code, None where no schedule has it.

    `invoice_id` is None for an invented invoice.
    """

    given: LetterInput
    template: str
    language: str
    invoice_id: int | None
    client: str
    at: datetime
    step: str | None

    @property
    def number(self) -> str:
        """The invoice's number."""
        return self.given.lines[0].number

    def values(self) -> Mapping[str, Any]:
        """What each variable of the text stands for here."""
        return operators_values(Reading(self.given))

    def write(self, words: LetterTemplate | None, *, terms: Terms) -> WrittenLetter:
        """The letter with these words, or with the text that ships. Raises OwnTextFailed and LetterError."""
        texts = {} if words is None else {(self.template, self.language): words}
        return terms.write(replace(self.given, texts=texts))


def stage_trial(
    session: Session, template: str, language: str, *, invoice_id: int | None, terms: Terms, now: datetime
) -> Trial:
    """The trial for one invoice, as things stand, on the day on which this text is its turn. Changes nothing.

    Raises NotFound, NothingToClaim, and BadAddress for a contact nobody can write to.
    """
    ensure_known(template, language)
    if invoice_id is None:
        return _invented(template, language, terms=terms, now=now)
    row = session.get(Invoice, invoice_id)
    if row is None:
        raise NotFound("there is no such invoice")
    client = load_clients(session, [row.client_id], now=now)[row.client_id]
    invoice = next((one for one in client.invoices if one.id == invoice_id), None)
    if invoice is None or invoice.claimable <= 0:
        raise NothingToClaim(f"nothing can be claimed for invoice {row.number}: choose another one")
    step, at = _turn(client, invoice, template, terms=terms, now=now)
    contact = _reader(client, language, terms)
    draft = Draft(
        letter_id=NOBODY,
        n=1,
        message_id=message_id(NOBODY, 1, terms.business.from_email),
        token=LEADS_NOWHERE,
        client_id=client.id,
        contact=contact,
        currency=invoice.currency,
        decisions=(_decision(invoice, template, step, at),),
    )
    given = input_of(draft, client, _particulars(session, draft, terms), terms=terms, now=at)
    return Trial(given, template, language, invoice_id, client.name, at, step.code if step else None)


def _turn(
    client: ClientFacts, invoice: InvoiceFacts, template: str, *, terms: Terms, now: datetime
) -> tuple[Step | None, datetime]:
    """The step of this text that comes next, else the last that came, with its instant; now where there is none."""
    try:
        steps = [one for one in timeline_of(client, invoice, terms.calendar) if one.step.template == template]
    except UNPLANNABLE:
        steps = []
    coming = [one for one in steps if one.due_at >= now]
    chosen = coming[:1] or steps[-1:]
    return (chosen[0].step, chosen[0].due_at) if chosen else (None, now)


def _reader(client: ClientFacts, language: str, terms: Terms) -> ContactFacts:
    """Who would read it, in the language on trial; somebody without a name where the client has no contact."""
    found = choose_recipient(client)[0] or (client.contacts[0] if client.contacts else None)
    if found is None:
        return ContactFacts(0, "", terms.business.from_email, "billing", language, client.timezone)
    is_theirs = pick_language(found.locale, terms.business.locale) == language
    return found if is_theirs else replace(found, locale=language)


def _decision(invoice: InvoiceFacts, template: str, step: Step | None, at: datetime) -> Decision:
    return Decision(
        invoice_id=invoice.id,
        step=step.code if step else MANUAL,
        schedule_version=invoice.schedule.version,
        action="send",
        at=at,
        amount=invoice.claimable,
        template=template,
        tone=step.tone if step else INVENTED[template][0],
    )


def _particulars(session: Session, draft: Draft, terms: Terms) -> Particulars:
    """What else the letter says; whatever would open something of the client's leads nowhere."""
    if not draft.contact.id:
        return Particulars({}, LEADS_NOWHERE)
    found = load_particulars(session, [draft], documents=terms.invoice_pdfs)[draft.letter_id]
    documents = {number: replace(one, token=LEADS_NOWHERE) for number, one in found.documents.items()}
    return replace(found, unsubscribe_token=LEADS_NOWHERE, references=(), documents=documents)


def _invented(template: str, language: str, *, terms: Terms, now: datetime) -> Trial:
    """A letter about an invoice that does not exist, for books that are still empty."""
    tone, days = INVENTED[template]
    day = local_day(now, "UTC")
    line = LetterLine(
        number=f"{day.year}-042",
        description=None,
        amount_due=125_000,
        amount_paid=0,
        disputed=0,
        claimed=125_000,
        issued_on=day - timedelta(days=days + 14),
        due_on=day - timedelta(days=days),
        days_overdue=days,
        tone=tone,
        template=template,
    )
    given = LetterInput(
        message_id=message_id(NOBODY, 1, terms.business.from_email),
        date=now,
        business=terms.business,
        recipient=Recipient("Alex Example", terms.business.from_email, language),
        currency="EUR",
        lines=(line,),
        total=line.claimed,
        pay_url=f"{terms.base_url}/p/{LEADS_NOWHERE}",
        unsubscribe_url=f"{terms.base_url}/u/{LEADS_NOWHERE}",
        has_card=terms.has_card,
    )
    return Trial(given, template, language, None, "Example", now, None)
