"""The words of the operators' pages: English in the sources, other languages in `locale/LANGUAGE/*.po`."""

import gettext
from functools import lru_cache
from pathlib import Path

LOCALE = Path(__file__).parent / "locale"
LANGUAGES: dict[str, str] = {"en": "English", "de": "Deutsch"}
"""Languages in which the pages are complete, each by its own name."""


def N_(text: str) -> str:  # noqa: N802  # gettext's own name for a mark
    """Marks a text for translation where it is written; it is translated where it is shown."""
    return text


def N2_(one: str, many: str) -> tuple[str, str]:  # noqa: N802  # as N_
    """Marks a text that depends on a number, and its plural."""
    return one, many


@lru_cache(maxsize=len(LANGUAGES))
def translations(language: str) -> gettext.NullTranslations:
    """The catalogue of one of LANGUAGES."""
    if language == "en":
        return gettext.NullTranslations()
    with (LOCALE / f"{language}.mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def language_of(chosen: str | None, accept_language: str) -> str:
    """The person's own choice, else the first that the browser asks for and we have, else English."""
    if chosen in LANGUAGES:
        return chosen
    tags = (part.split(";")[0].strip()[:2].lower() for part in accept_language[:200].split(","))
    return next((tag for tag in tags if tag in LANGUAGES), "en")
