"""The words of a letter in one language: the texts that ship, and the frame around them. Pure."""

from dataclasses import dataclass, replace
from functools import lru_cache

from jinja2 import Template

from nudgepay.nudges.frames import frames_in
from nudgepay.nudges.letter_words import TEMPLATES, read_template, spelled
from nudgepay.nudges.operators_text import TemplateError

NAMES = ("before_due", "due", "overdue", "final", "manual")
"""Texts that ship in every language."""
_SUBJECT = "Subject: "

_FRAME = frames_in(TEMPLATES)


@dataclass(frozen=True, slots=True)
class LetterTemplate:
    """One text in one language: Liquid for the subject and for the body between greeting and figures.

    `version`: the operators' own; None for a text that ships, and for one that is only tried.
    """

    subject: str
    body: str
    version: int | None = None

    def spelled_for(self, swiss: bool) -> "LetterTemplate":
        """The same, as Swiss readers of German write it."""
        return replace(self, subject=spelled(self.subject, swiss), body=spelled(self.body, swiss)) if swiss else self


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
    return parse_template(spelled(read_template(f"{language}/{name}.liquid"), swiss))


@lru_cache(maxsize=2)
def frame(name: str) -> Template:
    """`letter.html` or `letter.txt`, compiled once."""
    return _FRAME.get_template(name)
