"""One letter: every due reminder of one contact in one currency, as text, as HTML and as a MIME message. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nudgepay.money import format_money
from nudgepay.nudges.languages import format_day, pick_language, reading_locale
from nudgepay.nudges.letter_text import built_in, frame, render_liquid, words
from nudgepay.nudges.mime import MailHeaders, build_mime

TONES = ("friendly", "firm", "final")


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
    """One invoice of the letter; amounts in minor units, `claimed` = due - paid - disputed."""

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


@dataclass(frozen=True, slots=True)
class LetterInput:
    """Everything a letter says. `date` is its Date header; `references` the earlier Message-IDs, oldest first."""

    message_id: str
    date: datetime
    business: Business
    recipient: Recipient
    currency: str
    lines: tuple[LetterLine, ...]
    total: int
    pay_url: str
    unsubscribe_url: str
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenLetter:
    """The letter as it leaves: `mime` is the exact message, CRLF line ends."""

    subject: str
    text: str
    html: str
    mime: bytes


def write_letter(letter: LetterInput) -> WrittenLetter:
    """Write it in the reader's language, in the strongest tone of its lines.

    Raises TemplateError for operators' text that cannot be rendered and HeaderError for a header that would
    break the message.
    """
    language = pick_language(letter.recipient.locale, letter.business.locale)
    leading = max(letter.lines, key=lambda line: (TONES.index(line.tone), line.days_overdue))
    template = built_in(leading.template, language)
    values = _operators_values(letter, leading)
    subject = " ".join(render_liquid(template.subject, values).split())
    body = render_liquid(template.body, values).strip()
    context = _frame_values(letter, language) | {"subject": subject, "body": body}
    context["paragraphs"] = [part.strip() for part in body.split("\n\n") if part.strip()]
    text = frame("letter.txt").render(context)
    html = frame("letter.html").render(context)
    return WrittenLetter(subject, text, html, build_mime(_headers(letter, subject, language), text, html))


def _money(letter: LetterInput, minor: int) -> str:
    locale = str(reading_locale(letter.recipient.locale, letter.business.locale))
    return format_money(minor, letter.currency, locale)


def _day(letter: LetterInput, day: date) -> str:
    return format_day(day, letter.recipient.locale, letter.business.locale)


def _operators_values(letter: LetterInput, leading: LetterLine) -> dict[str, Any]:
    meant = [line for line in letter.lines if _phase(line) >= _phase(leading)]
    return {
        "name": letter.recipient.name,
        "business": letter.business.name,
        "count": len(meant),
        "number": leading.number,
        "numbers": ", ".join(line.number for line in meant),
        "total": _money(letter, sum(line.claimed for line in meant)),
        "due_on": _day(letter, leading.due_on),
        "days_overdue": leading.days_overdue,
        "received": any(line.amount_paid for line in meant),
    }


def _phase(line: LetterLine) -> int:
    """Before its day, on it, after it: a sentence about overdue invoices counts no other ones."""
    return (line.days_overdue > 0) - (line.days_overdue < 0)


def _frame_values(letter: LetterInput, language: str) -> dict[str, Any]:
    iban = letter.business.iban
    return {
        "lang": language,
        "words": words(language),
        "name": letter.recipient.name,
        "business": letter.business.name,
        "address": letter.business.address,
        "lines": [_line(letter, line, language) for line in letter.lines],
        "total": _money(letter, letter.total),
        "pay_url": letter.pay_url,
        "unsubscribe_url": letter.unsubscribe_url,
        "iban": " ".join(iban[start : start + 4] for start in range(0, len(iban), 4)) if iban else None,
        "bic": letter.business.bic,
        "reference": ", ".join(line.number for line in letter.lines),
    }


def _line(letter: LetterInput, line: LetterLine, language: str) -> dict[str, Any]:
    return {
        "number": line.number,
        "description": line.description,
        "due_on": _day(letter, line.due_on),
        "age": _age(line.days_overdue, words(language)),
        "is_late": line.days_overdue > 0,
        "amount": _money(letter, line.amount_due),
        "received": _money(letter, line.amount_paid) if line.amount_paid else None,
        "contested": _money(letter, line.disputed) if line.disputed else None,
        "claimed": _money(letter, line.claimed),
    }


def _age(days: int, catalogue: dict[str, str]) -> str:
    if days < 0:
        return catalogue["not_due"]
    if days == 0:
        return catalogue["due_today"]
    return catalogue["days_overdue_one" if days == 1 else "days_overdue_other"].format(count=days)


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
