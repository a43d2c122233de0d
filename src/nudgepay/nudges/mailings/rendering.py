"""Words and frames of these messages, in the reader's language. Pure."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from nudgepay.money import format_money
from nudgepay.nudges.frames import frames_in
from nudgepay.nudges.languages import format_day, pick_language, plural_form, reading_locale, spells_without_sharp_s
from nudgepay.nudges.letter_words import TEMPLATES as LETTER_TEMPLATES
from nudgepay.nudges.letter_words import words as letter_words

_HERE = Path(__file__).parent
_FRAMES = frames_in(_HERE / "templates", LETTER_TEMPLATES)


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who reads: a contact of a client, or the business itself (without `unsubscribe_token`)."""

    name: str
    email: str
    locale: str
    unsubscribe_token: str | None = None


@lru_cache(maxsize=32)
def catalogue(language: str) -> Mapping[str, str]:
    """Every word of these messages in one language, by `section.word`."""
    found: dict[str, str] = {}
    with (_HERE / "strings" / f"{language}.toml").open("rb") as file:
        for section, entries in tomllib.load(file).items():
            found |= {f"{section}.{key}": text for key, text in entries.items()}
    return found


class Voice:
    """One reader's language: words by key, amounts and days as they write them."""

    def __init__(self, locale: str, business_locale: str = "en") -> None:
        """`locale` falls back as for letters: de-AT, de, the business's, English."""
        self.language = pick_language(locale, business_locale)
        found = reading_locale(locale, business_locale)
        self.swiss = spells_without_sharp_s(found)
        self._locale = str(found)
        self._words = catalogue(self.language)

    def __call__(self, key: str, **values: object) -> str:
        """The sentence, its values filled in."""
        text = self._words[key].format(**values)
        return text.replace("ß", "ss") if self.swiss else text

    def count(self, key: str, things: int, /, **values: object) -> str:
        """The sentence in the plural form of a number of things."""
        return self(f"{key}_{plural_form(self.language, things)}", count=things, **values)

    def task(self, kind: str) -> str:
        """A kind of notice as a task in words."""
        return self(f"task.{kind}" if f"task.{kind}" in self._words else "task.other")

    def money(self, minor: int, currency: str) -> str:
        """An amount of minor units."""
        return format_money(minor, currency, self._locale)

    def day(self, day: date) -> str:
        """A date in words."""
        return format_day(day, self._locale)


def render(
    template: str, reader: Addressee, values: Mapping[str, Any], *, business_locale: str
) -> tuple[str, str, str, str]:
    """Subject, text, HTML and language of a message. `values["subject"]` takes the voice and gives the subject."""
    voice = Voice(reader.locale, business_locale)
    common = letter_words(voice.language, voice.swiss)
    name = reader.name.strip()
    context = {
        "lang": voice.language,
        "t": voice,
        "words": common,
        "greeting": common["greeting"].format(name=name) if name else common["greeting_nobody"],
        **values,
        "subject": values["subject"](voice),
    }
    context["preheader"] = context["subject"]
    text = _FRAMES.get_template(f"{template}.txt").render(context)
    html = _FRAMES.get_template(f"{template}.html").render(context)
    return context["subject"], text, html, voice.language
