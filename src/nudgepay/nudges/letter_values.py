"""What the texts and the frame of a letter are filled with, formatted for its reader. Pure."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from nudgepay.money import format_money
from nudgepay.nudges.languages import format_day, pick_language, reading_locale, spells_without_sharp_s
from nudgepay.nudges.letter_input import TONES, LetterInput, LetterLine
from nudgepay.nudges.letter_words import counted, words


class Reading:
    """One letter through its reader's eyes: language, formats, and which line leads.

    The line with the strongest tone leads, the longest overdue of these; its words count only invoices for which
    they are true: of its tone, and like it not due yet, due today or overdue. The others are listed.
    """

    def __init__(self, letter: LetterInput) -> None:
        """Decide once; nothing is formatted yet."""
        reader, business = letter.recipient.locale, letter.business.locale
        self.letter = letter
        self.language = pick_language(reader, business)
        locale = reading_locale(reader, business)
        self.swiss = spells_without_sharp_s(locale)
        self.words = words(self.language, self.swiss)
        self._locale = str(locale)
        self.leading = max(letter.lines, key=lambda line: (TONES.index(line.tone), line.days_overdue))
        self.meant = [line for line in letter.lines if _kind(line) == _kind(self.leading)]

    def money(self, minor: int) -> str:
        """An amount in the letter's currency."""
        return format_money(minor, self.letter.currency, self._locale)

    def day(self, day: date) -> str:
        """A date in words."""
        return format_day(day, self.letter.recipient.locale, self.letter.business.locale)

    def age(self, line: LetterLine) -> str:
        """How an invoice stands to its day: in 3 days, today, 1 day overdue."""
        days = line.days_overdue
        if days > 0:
            return counted(self.language, self.words, "overdue", days)
        if days == 0:
            return self.words["today"]
        return self.words["tomorrow"] if days == -1 else self.words["in_days"].format(count=-days)


def _kind(line: LetterLine) -> tuple[str, int]:
    return line.tone, (line.days_overdue > 0) - (line.days_overdue < 0)


def operators_values(reading: Reading) -> dict[str, Any]:
    """What operators' text may name. Amounts and dates are text; what is nothing is nil."""
    leading, meant = reading.leading, reading.meant
    return {
        "name": reading.letter.recipient.name,
        "business": reading.letter.business.name,
        "count": len(meant),
        "number": leading.number,
        "numbers": ", ".join(line.number for line in meant),
        "total": reading.money(sum(line.claimed for line in meant)),
        "amount": reading.money(sum(line.amount_due for line in meant)),
        "received": _unless_zero(reading, [line.amount_paid for line in meant]),
        "contested": _unless_zero(reading, [line.disputed for line in meant]),
        "issued_on": reading.day(leading.issued_on),
        "due_on": reading.day(leading.due_on),
        "days_overdue": leading.days_overdue,
        "others": len(reading.letter.lines) - len(meant),
        "tone": leading.tone,
    }


def _unless_zero(reading: Reading, amounts: Sequence[int]) -> str | None:
    return reading.money(sum(amounts)) if any(amounts) else None


def frame_values(reading: Reading) -> dict[str, Any]:
    """What our own frame shows around the operators' text."""
    letter, catalogue = reading.letter, reading.words
    business, lines = letter.business, letter.lines
    total = reading.money(letter.total)
    others = len(lines) - len(reading.meant)
    name = letter.recipient.name.strip()
    what = (
        f"{catalogue['invoice']} {lines[0].number}"
        if len(lines) == 1
        else counted(reading.language, catalogue, "invoices", len(lines))
    )
    return {
        "lang": reading.language,
        "words": catalogue,
        "greeting": catalogue["greeting"].format(name=name) if name else catalogue["greeting_nobody"],
        "business": business.name,
        "address": [part.strip() for part in business.address.splitlines() if part.strip()],
        "others": counted(reading.language, catalogue, "others", others) if others else None,
        "lines": [_line(reading, line) for line in lines],
        "is_contested": any(line.disputed for line in lines),
        "total_label": catalogue["claimed"] if len(lines) == 1 else catalogue["total"],
        "total": total,
        "preheader": f"{total} · {what}",
        "pay": catalogue["pay"] if letter.has_card else catalogue["view"],
        "pay_url": letter.pay_url,
        "unsubscribe_url": letter.unsubscribe_url,
        "why": counted(reading.language, catalogue, "why", len(lines), business=business.name),
        "bank": _bank(reading),
    }


def _line(reading: Reading, line: LetterLine) -> dict[str, Any]:
    return {
        "number": line.number,
        "description": line.description,
        "due": reading.words["due"].format(date=reading.day(line.due_on)),
        "age": reading.age(line),
        "is_late": line.days_overdue > 0,
        "reckoning": _reckoning(reading, line),
        "claimed": reading.money(line.claimed),
        "document_url": line.document_url,
    }


def _reckoning(reading: Reading, line: LetterLine) -> list[tuple[str, str]]:
    """How the claim comes about, as label and amount: the invoice first, then what is taken off it."""
    taken = [("received", line.amount_paid), ("contested", line.disputed)]
    parts = [("amount", line.amount_due), *((word, amount) for word, amount in taken if amount)]
    return [(reading.words[word], reading.money(amount)) for word, amount in parts] if len(parts) > 1 else []


def _bank(reading: Reading) -> list[tuple[str, list[str]]] | None:
    """What a bank transfer needs, as label and values; None without an account."""
    business, catalogue = reading.letter.business, reading.words
    if not business.iban:
        return None
    iban = business.iban.replace(" ", "").upper()
    return [
        (catalogue["payee"], [business.name]),
        (catalogue["account"], [" ".join(iban[start : start + 4] for start in range(0, len(iban), 4))]),
        *([(catalogue["bic"], [business.bic])] if business.bic else []),
        (catalogue["reference"], [line.number for line in reading.letter.lines]),
    ]
