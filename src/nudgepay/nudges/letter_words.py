"""The fixed words of a letter in one language. Pure."""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from nudgepay.nudges.languages import plural_form

TEMPLATES = Path(__file__).parent / "templates"


@lru_cache(maxsize=32)
def words(language: str, swiss: bool = False) -> Mapping[str, str]:
    """The fixed words of the frame in one language."""
    return tomllib.loads(spelled(read_template(f"{language}/words.toml"), swiss))


def counted(language: str, catalogue: Mapping[str, str], word: str, count: int, **values: str) -> str:
    """The form of a word for a number of things by CLDR's plural rules, the number filled in."""
    return catalogue[f"{word}_{plural_form(language, count)}"].format(count=count, **values)


def read_template(name: str) -> str:
    """A file of the letters' templates."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def spelled(text: str, swiss: bool) -> str:
    """Switzerland and Liechtenstein write ss where other German spelling has ß."""
    return text.replace("ß", "ss") if swiss else text
