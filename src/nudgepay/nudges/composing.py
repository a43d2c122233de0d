"""From decisions to a letter: which lines it has, what it claims, whom it answers. Pure."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from nudgepay.gateways.mail import ensure_address
from nudgepay.nudges.calendars import local_day
from nudgepay.nudges.facts import ClientFacts, ContactFacts, Decision, InvoiceFacts, LetterPlan
from nudgepay.nudges.letter import TONES, LetterInput, LetterLine, Recipient, WrittenLetter
from nudgepay.nudges.letter_input import Texts
from nudgepay.nudges.mime import Attachment
from nudgepay.nudges.terms import Terms

MOST_ATTACHED_BYTES = 2 * 1024 * 1024
"""Files of one letter together; base64 makes a third more of them."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A letter about to be written: its identity, which stays the same however often it is tried."""

    letter_id: uuid.UUID
    n: int
    message_id: str
    token: str
    client_id: int
    contact: ContactFacts
    currency: str
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice's own PDF: its public token, and the file itself when it is to be attached."""

    token: str
    file: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Particulars:
    """What a letter says that decides nothing: descriptions, the unsubscribe token, earlier Message-IDs, PDFs.

    `texts`: the operators' own texts in force, for every letter of a batch the same.
    """

    descriptions: dict[int, str | None]
    unsubscribe_token: str
    references: tuple[str, ...] = ()
    documents: Mapping[int, Document] = field(default_factory=dict)
    texts: Texts = field(default_factory=dict)


def contact_of(client: ClientFacts, letter: LetterPlan) -> ContactFacts:
    """Who the letter is for."""
    return next(contact for contact in client.contacts if contact.id == letter.contact_id)


def claimed_by(decisions: Sequence[Decision]) -> int:
    """What the letter asks for in all (minor units): each invoice once, however many reminders name it."""
    return sum({decision.invoice_id: decision.amount for decision in decisions}.values())


def compose(
    draft: Draft, client: ClientFacts, particulars: Particulars, *, terms: Terms, now: datetime
) -> WrittenLetter:
    """Write the draft. Raises what the writer raises, and BadAddress for a contact nobody can write to."""
    return terms.write(input_of(draft, client, particulars, terms=terms, now=now))


def input_of(
    draft: Draft, client: ClientFacts, particulars: Particulars, *, terms: Terms, now: datetime
) -> LetterInput:
    """Everything that the draft's letter says. Raises BadAddress for a contact nobody can write to."""
    invoices = {invoice.id: invoice for invoice in client.invoices}
    contact = replace(draft.contact, email=ensure_address(draft.contact.email))
    lines = tuple(
        _line(invoices[decision.invoice_id], decision, contact, particulars, now=now, base_url=terms.base_url)
        for decision in _strongest_of_each_invoice(draft.decisions)
    )
    return LetterInput(
        message_id=draft.message_id,
        date=now,
        business=terms.business,
        recipient=Recipient(contact.name, contact.email, contact.locale),
        currency=draft.currency,
        lines=lines,
        total=sum(line.claimed for line in lines),
        pay_url=f"{terms.base_url}/p/{draft.token}",
        unsubscribe_url=f"{terms.base_url}/u/{particulars.unsubscribe_token}",
        has_card=terms.has_card,
        references=particulars.references,
        attachments=_attachments(draft.decisions, particulars),
        texts=particulars.texts,
    )


def _strongest_of_each_invoice(decisions: Sequence[Decision]) -> list[Decision]:
    strongest: dict[int, Decision] = {}
    for decision in decisions:
        known = strongest.get(decision.invoice_id)
        if known is None or TONES.index(decision.tone) > TONES.index(known.tone):
            strongest[decision.invoice_id] = decision
    return list(strongest.values())


def _line(
    invoice: InvoiceFacts,
    decision: Decision,
    contact: ContactFacts,
    particulars: Particulars,
    *,
    now: datetime,
    base_url: str,
) -> LetterLine:
    document = particulars.documents.get(invoice.id)
    return LetterLine(
        number=invoice.number,
        description=particulars.descriptions.get(invoice.id),
        amount_due=invoice.amount_due,
        amount_paid=invoice.amount_paid,
        disputed=min(invoice.disputed, max(0, invoice.remaining)),
        claimed=decision.amount,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        days_overdue=(local_day(now, contact.timezone) - invoice.due_on).days,
        tone=decision.tone,
        template=decision.template,
        document_url=f"{base_url}/d/{document.token}" if document else None,
    )


def _attachments(decisions: Sequence[Decision], particulars: Particulars) -> tuple[Attachment, ...]:
    """The invoices' files, as long as they are not too much for a mail; the others are linked all the same."""
    found: list[Attachment] = []
    left = MOST_ATTACHED_BYTES
    for invoice_id in dict.fromkeys(decision.invoice_id for decision in decisions):
        document = particulars.documents.get(invoice_id)
        if document is not None and document.file is not None and len(document.file.content) <= left:
            left -= len(document.file.content)
            found.append(document.file)
    return tuple(found)
