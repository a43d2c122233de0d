"""The words of a letter in one language: the texts that ship, the fixed words, and the frame around both. Pure."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from nudgepay.nudges.languages import plural_form
from nudgepay.nudges.operators_text import TemplateError

TEMPLATES = Path(__file__).parent / "templates"
NAMES = ("before_due", "due", "overdue", "final", "manual")
"""Texts that ship in every language."""
_SUBJECT = "Subject: "

_FRAME = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    auto_reload=False,
)


@dataclass(frozen=True, slots=True)
class LetterTemplate:
    """One text in one language: Liquid for the subject and for the body between greeting and figures."""

    subject: str
    body: str


def parse_template(source: str) -> LetterTemplate:
    """A text as it stands in a file: `Subject: ...`, an empty line, the body; raises TemplateError."""
    first, _, body = source.replace("\r\n", "\n").partition("\n\n")
    if not first.startswith(_SUBJECT) or "\n" in first or not body.strip():
        raise TemplateError("a template begins with one line `Subject: ...`, then an empty line, then the text")
    return LetterTemplate(first.removeprefix(_SUBJECT), body.strip())


@lru_cache(maxsize=64)
def built_in(name: str, language: str, swiss: bool = False) -> LetterTemplate:
    """The text that ships; raises TemplateError for an unknown name."""
    if name not in NAMES:
        raise TemplateError(f"there is no template {name!r}; use one of {', '.join(NAMES)}")
    return parse_template(_spelled(_read(f"{language}/{name}.liquid"), swiss))


@lru_cache(maxsize=8)
def words(language: str, swiss: bool = False) -> Mapping[str, str]:
    """The fixed words of the frame in one language."""
    return tomllib.loads(_spelled(_read(f"{language}/words.toml"), swiss))


def counted(language: str, catalogue: Mapping[str, str], word: str, count: int, **values: str) -> str:
    """The form of a word for a number of things by CLDR's plural rules, the number filled in."""
    return catalogue[f"{word}_{plural_form(language, count)}"].format(count=count, **values)


@lru_cache(maxsize=2)
def frame(name: str) -> Template:
    """`letter.html` or `letter.txt`, compiled once."""
    return _FRAME.get_template(name)


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _spelled(text: str, swiss: bool) -> str:
    """Switzerland and Liechtenstein write ss where other German spelling has ß."""
    return text.replace("ß", "ss") if swiss else text
