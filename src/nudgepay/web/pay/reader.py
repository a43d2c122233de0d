"""How one reader sees words, amounts and days: the language of `?lang=`, else of the link's addressee."""

from dataclasses import dataclass
from datetime import date

from fastapi import Request

from nudgepay.config import Settings
from nudgepay.money import format_money, parse_major
from nudgepay.nudges.languages import LANGUAGES, format_day, pick_language, reading_locale
from nudgepay.web.words import Words, words

WITHOUT_COUNTRY = {"en": "en-001"}
"""English of nobody's own country: 15 November 2026, not November 15."""


@dataclass(frozen=True, slots=True)
class Reader:
    """`locale` is a BCP 47 tag for formats; `chosen` is the language that the address line asks for."""

    t: Words
    locale: str
    chosen: str | None

    def money(self, minor: int, currency: str) -> str:
        """An amount of minor units in the reader's way of writing."""
        return format_money(minor, currency, self.locale)

    def day(self, day: date) -> str:
        """A date in words."""
        return format_day(day, self.locale)

    def amount(self, text: str, currency: str) -> int:
        """Minor units of what the reader typed; raises AmountError."""
        return parse_major(text, currency, self.locale)

    @property
    def query(self) -> str:
        """What keeps the chosen language in a link, with its question mark."""
        return f"?lang={self.chosen}" if self.chosen else ""


def reader_for(request: Request, settings: Settings, locale: str) -> Reader:
    """The reader of a page that is addressed to `locale`."""
    wanted = request.query_params.get("lang")
    chosen = wanted if wanted in LANGUAGES else None
    own = str(reading_locale(locale, settings.business_locale)).replace("_", "-")
    language = chosen or pick_language(locale, settings.business_locale)
    is_own = own.split("-")[0] == language
    return Reader(words(language), own if is_own else WITHOUT_COUNTRY.get(language, language), chosen)
