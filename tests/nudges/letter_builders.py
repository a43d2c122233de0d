"""Letters for tests: one German reader, one overdue invoice, changed as a test needs it."""

import uuid
from dataclasses import replace
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage

from nudgepay.nudges.letter import Business, LetterInput, LetterLine, Recipient, write_letter
from nudgepay.nudges.mime import message_id
from nudges.builders import at

LETTER = uuid.UUID("12345678-1234-5678-1234-567812345678")
BUSINESS = Business(
    "Atelier Nord",
    "Hafenstraße 12\n20457 Hamburg",
    "billing@atelier.example",
    None,
    "DE89370400440532013000",
    None,
    "en",
)
GERMAN = Recipient("Jörg Müller", "jm@client.example", "de")
ENGLISH = Recipient("Amy Winter", "amy@client.example", "en-GB")
LINE = LetterLine("A-1", "Website", 123_450, 0, 0, 123_450, date(2026, 2, 1), date(2026, 3, 10), 3, "firm", "overdue")
SOON = replace(LINE, number="A-9", due_on=date(2026, 3, 16), days_overdue=-3, tone="friendly", template="before_due")


def letter(*lines: LetterLine, **changes: object) -> LetterInput:
    """A letter of these lines; without any, of `LINE`."""
    chosen = lines or (LINE,)
    made = LetterInput(
        message_id=message_id(LETTER, 1, BUSINESS.from_email),
        date=at("2026-03-13T09:00"),
        business=BUSINESS,
        recipient=GERMAN,
        currency="EUR",
        lines=chosen,
        total=sum(line.claimed for line in chosen),
        pay_url="https://pay.atelier.example/p/token",
        unsubscribe_url="https://pay.atelier.example/u/token",
    )
    return replace(made, **changes)


def parsed(given: LetterInput) -> EmailMessage:
    """The written letter as the standard library's parser reads it."""
    return message_from_bytes(write_letter(given).mime, policy=policy.default)


def part(message: EmailMessage, kind: str) -> str:
    """The text of one part, line ends as in Python."""
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")
