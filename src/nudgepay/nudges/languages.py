"""Which language a reader gets, and how days and amounts look to them."""

from datetime import date
from functools import lru_cache

from babel import Locale
from babel.dates import format_date

from nudgepay.money import babel_locale

LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pl", "pt", "sv", "ja")
"""Languages in which every letter and payer's page is complete."""
_ENGLISH_OF_NO_COUNTRY = "en_001"
_WITHOUT_SHARP_S = frozenset({"CH", "LI"})


@lru_cache(maxsize=1024)
def pick_language(locale: str, business_locale: str = "en") -> str:
    """de-AT -> de; a language that is not complete -> the business's; that one neither -> English."""
    for candidate in (locale, business_locale):
        language = candidate.replace("_", "-").split("-")[0].lower()
        if language in LANGUAGES:
            return language
    return "en"


@lru_cache(maxsize=1024)
def reading_locale(locale: str, business_locale: str = "en") -> Locale:
    """The locale for formats: the reader's own where its language is the letter's, else the business's.

    A reader of neither language gets the world's English (10 March 2026), not the one of a country.
    """
    language = pick_language(locale, business_locale)
    for candidate in (locale, business_locale):
        own = babel_locale(candidate)
        if own.language == language and candidate.replace("_", "-").split("-")[0].lower() == language:
            return own
    return Locale.parse(_ENGLISH_OF_NO_COUNTRY)


def plural_form(language: str, count: int) -> str:
    """CLDR's category of a number in a language: one, few, many, other."""
    return str(Locale(language).plural_form(count))


def plural_forms(language: str) -> frozenset[str]:
    """Every category that a language tells apart."""
    return frozenset(Locale(language).plural_form.tags | {"other"})


def spells_without_sharp_s(locale: Locale) -> bool:
    """German of Switzerland and Liechtenstein: Grüsse, not Grüße."""
    return locale.language == "de" and locale.territory in _WITHOUT_SHARP_S


@lru_cache(maxsize=4096)
def format_day(day: date, locale: str, business_locale: str = "en") -> str:
    """A date in words, as the reader writes it: 3 March 2026, 3. März 2026."""
    return format_date(day, format="long", locale=reading_locale(locale, business_locale))
