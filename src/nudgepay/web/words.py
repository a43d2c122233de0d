"""Every word of the payers' pages: one catalogue for each language, complete, with CLDR's plural rules."""

import tomllib
from functools import lru_cache
from pathlib import Path

from nudgepay.nudges.languages import LANGUAGES, pick_language, plural_form

STRINGS = Path(__file__).parent / "pay" / "strings"


class Words:
    """One language's words. Called with a key (`section.word`) and the values that its sentence names."""

    def __init__(self, language: str) -> None:
        """Reads `strings/LANGUAGE.toml`."""
        self.language = language
        self.entries: dict[str, str] = {}
        with (STRINGS / f"{language}.toml").open("rb") as file:
            for section, words in tomllib.load(file).items():
                self.entries |= {f"{section}.{key}": text for key, text in words.items()}

    def __call__(self, key: str, **values: object) -> str:
        """The sentence, its values filled in."""
        return self.entries[key].format(**values)

    def count(self, key: str, number: int, **values: object) -> str:
        """The sentence in the plural form of `number`: `key_one`, `key_few`, `key_other`."""
        return self.entries[f"{key}_{plural_form(self.language, number)}"].format(count=number, **values)


@lru_cache(maxsize=len(LANGUAGES))
def words(language: str) -> Words:
    """The catalogue of `language`, one of LANGUAGES."""
    return Words(language)


def preferred_language(wanted: str | None, accept_language: str, fallback: str) -> str:
    """`?lang=` where it names a language of ours, else the first of Accept-Language, else the business's."""
    if wanted in LANGUAGES:
        return wanted
    tags = (part.split(";")[0].strip() for part in accept_language[:200].split(","))
    known = (tag.split("-")[0].lower() for tag in tags)
    return next((tag for tag in known if tag in LANGUAGES), pick_language(fallback))
