"""What a letter is made of, and whether it adds up. Pure data; amounts in minor units of one currency."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from nudgepay.nudges.letter_text import LetterTemplate
from nudgepay.nudges.mail_headers import LetterError, ensure_url
from nudgepay.nudges.mime import Attachment

TONES = ("friendly", "firm", "final")
Texts = Mapping[tuple[str, str], LetterTemplate]
"""Texts by template and language."""


@dataclass(frozen=True, slots=True)
class Business:
    """Who writes. `locale` is the language for readers whose own is not complete."""

    name: str
    address: str
    from_email: str
    reply_to: str | None
    iban: str | None
    bic: str | None
    locale: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who reads."""

    name: str
    email: str
    locale: str


@dataclass(frozen=True, slots=True)
class LetterLine:
    """One invoice of the letter; amounts in minor units, `claimed` = due - paid - disputed.

    `document_url`: where the invoice itself can be read.
    """

    number: str
    description: str | None
    amount_due: int
    amount_paid: int
    disputed: int
    claimed: int
    issued_on: date
    due_on: date
    days_overdue: int
    tone: str
    template: str
    document_url: str | None = None


@dataclass(frozen=True, slots=True)
class LetterInput:
    """Everything a letter says.

    `date` is its Date header; `references` the earlier Message-IDs, oldest first. `has_card`: the page takes cards.
    `texts` are the operators' own, by (template, language); what is missing there is what ships.
    """

    message_id: str
    date: datetime
    business: Business
    recipient: Recipient
    currency: str
    lines: tuple[LetterLine, ...]
    total: int
    pay_url: str
    unsubscribe_url: str
    has_card: bool = True
    references: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    texts: Texts = field(default_factory=dict)


def ensure_sound(letter: LetterInput) -> None:
    """Refuse to write what is not true: raises LetterError for a claim that does not add up, or claims nothing."""
    if not letter.lines:
        raise LetterError("the letter names no invoice")
    for line in letter.lines:
        if line.tone not in TONES:
            raise LetterError(f"the tone must be one of {', '.join(TONES)}")
        if line.claimed <= 0 or line.claimed != line.amount_due - line.amount_paid - line.disputed:
            raise LetterError("an invoice's claim is not what is due, less what was received and what is contested")
    if letter.total != sum(line.claimed for line in letter.lines):
        raise LetterError("the total is not the sum of the letter's lines")
    for line in letter.lines:
        if line.document_url is not None:
            ensure_url("document link", line.document_url)
    ensure_url("pay link", letter.pay_url)
    ensure_url("unsubscribe link", letter.unsubscribe_url)
