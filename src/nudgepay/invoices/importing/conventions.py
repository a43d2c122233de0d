"""Dates as a country writes them, and never a guess: 02/03 has two meanings without a locale."""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import get_date_format

from nudgepay.errors import UsageError
from nudgepay.money import babel_locale

LONGEST = 40
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_PARTS = re.compile(r"(\d{1,4})\s*[./\- ]\s*(\d{1,2})\s*[./\- ]\s*(\d{1,4})\.?")


_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2})?")


class DateError(UsageError):
    """The text is no date, or could be two."""


@lru_cache(maxsize=64)
def _order(locale: str) -> str:
    pattern = get_date_format("short", locale=babel_locale(locale)).pattern
    return "".join(sorted("dMy", key=pattern.find))


def parse_day(text: str, locale: str | None) -> date:
    """An ISO date, or one in the order of day, month and year of `locale`. Years have four digits.

    Raises DateError.
    """
    cleaned = text.strip()
    if len(cleaned) > LONGEST:
        raise DateError(f"is longer than {LONGEST} characters, which no date is; write one such as 2026-03-31")
    if found := _ISO.fullmatch(cleaned):
        return _made(cleaned, int(found[1]), int(found[2]), int(found[3]))
    found = _PARTS.fullmatch(cleaned)
    if found is None:
        raise DateError(f"{cleaned!r} is no date such as 2026-03-31")
    if locale is None:
        raise DateError(f"{cleaned!r} could be read in two ways; give --locale or use ISO dates")
    parts = dict(zip(_order(locale), found.groups(), strict=True))
    if len(parts["y"]) != 4:
        raise DateError(f"{cleaned!r}: write the year with four digits")
    return _made(cleaned, int(parts["y"]), int(parts["M"]), int(parts["d"]))


def parse_utc(text: str, timezone: str) -> date | None:
    """The day of an instant in UTC, such as 2026-03-31 22:59, as the calendar of `timezone` has it; None for others.

    Raises DateError for an instant that is none.
    """
    cleaned = text.strip()
    if not _INSTANT.fullmatch(cleaned):
        return None
    try:
        return datetime.fromisoformat(cleaned).replace(tzinfo=UTC).astimezone(ZoneInfo(timezone)).date()
    except (ValueError, OverflowError) as error:
        raise DateError(f"{cleaned!r} is no day of the calendar") from error


def _made(text: str, year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError as error:
        raise DateError(f"{text!r} is no day of the calendar") from error
