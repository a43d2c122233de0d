"""One letter: every due reminder of one contact in one currency, as text, as HTML and as a MIME message. Pure."""

import re
from dataclasses import dataclass
from typing import Any

from nudgepay.nudges.letter_input import TONES, Business, LetterInput, LetterLine, Recipient, ensure_sound
from nudgepay.nudges.letter_text import built_in, frame
from nudgepay.nudges.letter_values import Reading, frame_values, operators_values
from nudgepay.nudges.mime import MailHeaders, build_mime
from nudgepay.nudges.operators_text import TemplateError, render_text

__all__ = ["TONES", "Business", "LetterInput", "LetterLine", "Recipient", "WrittenLetter", "write_letter"]

_GAPS = re.compile(r"[ \t\n]+")
_PARAGRAPHS = re.compile(r"\n[ \t]*\n")


@dataclass(frozen=True, slots=True)
class WrittenLetter:
    """The letter as it leaves: `mime` is the exact message, CRLF line ends."""

    subject: str
    text: str
    html: str
    mime: bytes


def write_letter(letter: LetterInput) -> WrittenLetter:
    """Write it in the reader's language, in the strongest tone of its lines.

    Operators' text stands inside one fixed frame that always holds the figures, the pay link, the bank details and
    the way out. Raises LetterError for figures that do not add up and for names, subjects or addresses that would
    break the message, TemplateError (a LetterError) for operators' text that cannot be rendered.
    """
    ensure_sound(letter)
    reading = Reading(letter)
    subject, body = _operators_words(letter, reading)
    context = frame_values(reading) | {"subject": subject, "body": body, "paragraphs": _paragraphs(body)}
    text = frame("letter.txt").render(context)
    html = frame("letter.html").render(context)
    return WrittenLetter(
        subject, text, html, build_mime(_headers(letter, subject, reading.language), text, html, letter.attachments)
    )


def _operators_words(letter: LetterInput, reading: Reading) -> tuple[str, str]:
    name = reading.leading.template
    own = letter.texts.get((name, reading.language))
    template = own or built_in(name, reading.language, reading.swiss)
    values: dict[str, Any] = operators_values(reading)
    subject = _GAPS.sub(" ", render_text(template.subject, values)).strip()
    body = render_text(template.body, values).strip()
    if not subject or not body:
        raise TemplateError(f"the template {name!r} comes out empty")
    return subject, body


def _paragraphs(body: str) -> list[list[str]]:
    return [part.strip().split("\n") for part in _PARAGRAPHS.split(body)]


def _headers(letter: LetterInput, subject: str, language: str) -> MailHeaders:
    return MailHeaders(
        message_id=letter.message_id,
        date=letter.date,
        from_name=letter.business.name,
        from_email=letter.business.from_email,
        to_name=letter.recipient.name,
        to_email=letter.recipient.email,
        reply_to=letter.business.reply_to,
        subject=subject,
        language=language,
        unsubscribe_url=letter.unsubscribe_url,
        references=letter.references,
    )
