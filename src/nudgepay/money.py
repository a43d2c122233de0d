"""Money is an integer of minor units and an ISO 4217 code. Exponents and formats come from CLDR by Babel."""

import re
import unicodedata
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache

from babel import Locale
from babel.core import UnknownLocaleError
from babel.numbers import (
    NumberFormatError,
    format_currency,
    get_currency_precision,
    get_decimal_symbol,
    get_group_symbol,
    list_currencies,
    parse_decimal,
)

from nudgepay.errors import UsageError

MAX_MINOR_UNITS = 10**15
"""Largest amount accepted for one fact or invoice: a BIGINT holds nine thousand of them, and sums are taken as
NUMERIC in SQL and as integers without a bound here."""
_EXACT = Context(prec=100, traps=[Inexact, InvalidOperation])

_PLAIN = re.compile(r"-?\d+(\.\d+)?")
_ALIKE = (" \u00a0\u202f", "'\u2019")
"""Signs that people type for one another: spaces, apostrophes."""
_LETTER_BESIDE_DIGIT = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


class AmountError(UsageError):
    """The text is not an amount of this currency."""


@lru_cache(maxsize=1)
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())


def ensure_currency(code: str) -> str:
    """The upper-case ISO 4217 code; raises AmountError when there is no such currency."""
    upper = code.strip().upper()
    if upper not in _currencies():
        raise AmountError(f"{code!r} is no ISO 4217 currency code")
    return upper


@lru_cache(maxsize=512)
def exponent(currency: str) -> int:
    """Digits after the decimal sign: 0 for JPY, 2 for EUR, 3 for KWD (ISO 4217 through CLDR)."""
    return int(get_currency_precision(currency))


@lru_cache(maxsize=8)
def currencies_with(decimals: int) -> frozenset[str]:
    """Every currency with so many digits after the decimal sign."""
    return frozenset(code for code in _currencies() if exponent(code) == decimals)


def to_minor(major: Decimal, currency: str) -> int:
    """Major units to minor units, exactly; an amount finer than the currency allows is an AmountError."""
    if not major.is_finite():
        raise AmountError("the amount must be a finite number")
    if abs(major) > MAX_MINOR_UNITS:
        raise AmountError("the amount is too large")
    try:
        scaled = major.scaleb(exponent(currency), _EXACT)
        is_whole = scaled == scaled.to_integral_value(context=_EXACT)
    except (Inexact, InvalidOperation):
        is_whole = False
    if not is_whole:
        raise AmountError(f"{currency} has {exponent(currency)} decimals; {major} has more")
    if abs(scaled) > MAX_MINOR_UNITS:
        raise AmountError("the amount is too large")
    return int(scaled)


def to_major(minor: int, currency: str) -> Decimal:
    """Minor units to an exact decimal of major units."""
    return Decimal(minor).scaleb(-exponent(currency))


def parse_major(text: str, currency: str, locale: str | None = None) -> int:
    """An amount as a person wrote it, in minor units.

    Without a locale only `1234.56` is accepted; with one, that locale's grouping and decimal signs,
    strictly: `1.234,56` in `de`, `1,234.56` in `en`; any space or apostrophe stands for the locale's own.
    Raises AmountError for anything ambiguous.
    """
    cleaned = text.strip()
    try:
        if locale is None:
            if not _PLAIN.fullmatch(cleaned):
                raise AmountError(f"{text!r} is not a plain amount such as 1234.56")
            value = Decimal(cleaned)
        else:
            parsed = Locale.parse(locale.replace("-", "_"))
            value = parse_decimal(_with_own_signs(cleaned, locale, parsed), locale=parsed, strict=True)
    except (NumberFormatError, InvalidOperation) as error:
        raise AmountError(f"{text!r} is not an amount in the conventions of {locale}") from error
    return to_minor(value, currency)


def without_symbol(text: str) -> str:
    """The amount without one currency symbol before or behind it: 1,234.56 for $1,234.56."""
    cleaned = text.strip()
    if cleaned and unicodedata.category(cleaned[0]) == "Sc":
        return cleaned[1:].lstrip()
    if cleaned and unicodedata.category(cleaned[-1]) == "Sc":
        return cleaned[:-1].rstrip()
    return cleaned


def _with_own_signs(text: str, locale: str, parsed: Locale) -> str:
    """The text with the locale's own grouping sign for each that people type for it."""
    group = get_group_symbol(parsed)
    typed = next((alike for alike in _ALIKE if group in alike), group)
    if not text or not set(text) <= set("0123456789-") | {get_decimal_symbol(parsed), *typed}:
        raise AmountError(f"{text!r} is not an amount in the conventions of {locale}")
    return text.translate({ord(sign): group for sign in typed})


def format_money(minor: int, currency: str, locale: str) -> str:
    """An amount for a reader of `locale`, with the currency's own number of decimals.

    A currency of letters is set off by a no-break space, KWD 1.500 (CLDR, currencySpacing, which Babel leaves out).
    """
    formatted = format_currency(to_major(minor, currency), currency, locale=babel_locale(locale))
    return _LETTER_BESIDE_DIGIT.sub("\u00a0", formatted)


@lru_cache(maxsize=256)
def babel_locale(tag: str) -> Locale:
    """The CLDR locale of a BCP 47 tag, falling back from region to language to English."""
    for candidate in (tag.replace("-", "_"), tag.replace("_", "-").split("-")[0], "en"):
        try:
            return Locale.parse(candidate)
        except (UnknownLocaleError, ValueError):
            continue
    raise UsageError(f"{tag!r} is no locale")  # "en" always parses; reached only without CLDR data
