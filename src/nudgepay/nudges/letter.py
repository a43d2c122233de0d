"""One letter: every due reminder of one contact in one currency, as text, as HTML and as a MIME message. Pure."""

import re
from dataclasses import dataclass
from typing import Any

from nudgepay.nudges.letter_input import TONES, Business, LetterInput, LetterLine, Recipient, ensure_sound
from nudgepay.nudges.letter_text import LetterTemplate, built_in, frame
from nudgepay.nudges.letter_values import Reading, frame_values, operators_values
from nudgepay.nudges.mail_headers import LetterError, ensure_text
from nudgepay.nudges.mime import MailHeaders, build_mime
from nudgepay.nudges.operators_text import OwnTextFailed, TemplateError, render_text
from nudgepay.nudges.text_policy import HARMLESS, SENTENCES, frauds_beside

__all__ = ["TONES", "Business", "LetterInput", "LetterLine", "Recipient", "WrittenLetter", "write_letter"]

_GAPS = re.compile(r"[ \t\n]+")
_PARAGRAPHS = re.compile(r"\n[ \t]*\n")


@dataclass(frozen=True, slots=True)
class WrittenLetter:
    """The letter as it leaves: `mime` is the exact message, CRLF line ends.

    `template` and `language` name the text that led; `text_version` the operators' own, None for the one that ships.
    """

    subject: str
    text: str
    html: str
    mime: bytes
    template: str
    language: str
    text_version: int | None


def write_letter(letter: LetterInput) -> WrittenLetter:
    """Write it in the reader's language, in the strongest tone of its lines.

    Operators' text stands inside one fixed frame that always holds the figures, the pay link, the bank details and
    the way out. An own text counts for its language alone; without one the text that ships speaks. Raises LetterError
    for figures that do not add up and for names, subjects or addresses that would break the message, OwnTextFailed (a
    LetterError) for operators' text that cannot be used.
    """
    ensure_sound(letter)
    reading = Reading(letter)
    name, language = reading.leading.template, reading.language
    own = letter.texts.get((name, language))
    subject, body = _own_words(own, reading) if own else _words(built_in(name, language, reading.swiss), reading)
    context = frame_values(reading) | {"subject": subject, "body": body, "paragraphs": _paragraphs(body)}
    text = frame("letter.txt").render(context)
    html = frame("letter.html").render(context)
    mime = build_mime(_headers(letter, subject, language), text, html, letter.attachments)
    return WrittenLetter(subject, text, html, mime, name, language, own.version if own else None)


def _words(template: LetterTemplate, reading: Reading) -> tuple[str, str]:
    values: dict[str, Any] = operators_values(reading)
    subject = _GAPS.sub(" ", render_text(template.subject, values)).strip()
    body = render_text(template.body, values).strip()
    if not subject or not body:
        raise TemplateError(f"the template {reading.leading.template!r} comes out empty")
    return subject, body


def _own_words(own: LetterTemplate, reading: Reading) -> tuple[str, str]:
    """Raises OwnTextFailed for whatever is wrong with it, and for a link or an account that it brings."""
    name, language = reading.leading.template, reading.language
    try:
        subject, body = _words(own.spelled_for(reading.swiss), reading)
        ensure_text("Subject", subject)
    except LetterError as error:
        raise OwnTextFailed(name, language, own.version, str(error)) from error
    for fraud in set(frauds_beside(f"{subject}\n\n{body}", operators_values(reading))) - HARMLESS:
        raise OwnTextFailed(name, language, own.version, f"it {SENTENCES[fraud]}")
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
