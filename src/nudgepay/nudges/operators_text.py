"""Operators' own words: Liquid of a small, bounded kind, rendered as plain text, checked before it is used. Pure.

Liquid is made for templates of people who are not trusted with code. Values are data and never read as templates;
the result is plain text, which the letter's frame escapes for HTML.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from liquid import BoundTemplate, Environment, StrictUndefined
from liquid.exceptions import LiquidError

from nudgepay.nudges.mail_headers import LetterError
from nudgepay.nudges.text_policy import SENTENCES, frauds_in

VARIABLES = frozenset(
    {
        "amount",
        "business",
        "contested",
        "count",
        "days_overdue",
        "due_on",
        "issued_on",
        "name",
        "number",
        "numbers",
        "others",
        "received",
        "tone",
        "total",
    }
)
"""What operators' text may name; docs/letters.md explains each."""

LONGEST_SOURCE = 10_000
MOST_MARKS = 500
_TAGS = frozenset(
    {
        "#",
        "assign",
        "break",
        "capture",
        "case",
        "comment",
        "content",
        "continue",
        "for",
        "if",
        "illegal",
        "output",
        "unless",
    }
)
_FILTERS = frozenset(
    {"append", "capitalize", "default", "downcase", "minus", "plus", "prepend", "size", "strip", "truncate", "upcase"}
)


class TemplateError(LetterError):
    """The operators' text cannot be rendered; the message says where and why."""


class OwnTextFailed(TemplateError):
    """An operators' text in force cannot be used for a letter. The message begins with its name: `due/de`."""

    def __init__(self, template: str, language: str, version: int | None, cause: str) -> None:
        """`cause` names the trouble, never a value of the books."""
        self.template, self.language, self.version = template, language, version
        super().__init__(f"{template}/{language} version {version}: {cause}")


class _OperatorsLiquid(Environment):
    """No files, no includes, no clock; loops, nesting and output are bounded."""

    loop_iteration_limit = 1_000
    output_stream_limit = 20_000
    local_namespace_limit = 20_000
    context_depth_limit = 10
    block_nesting_limit = 10


def _small_liquid() -> Environment:
    made = _OperatorsLiquid(undefined=StrictUndefined, autoescape=False)
    made.tags = {name: tag for name, tag in made.tags.items() if name in _TAGS}
    made.filters = {name: filter_ for name, filter_ in made.filters.items() if name in _FILTERS}
    return made


_LIQUID = _small_liquid()


@lru_cache(maxsize=512)
def _compiled(source: str) -> BoundTemplate:
    if len(source) > LONGEST_SOURCE:
        raise TemplateError(f"the template is longer than {LONGEST_SOURCE} characters; shorten it")
    if source.count("{{") + source.count("{%") > MOST_MARKS:
        raise TemplateError(f"the template has more than {MOST_MARKS} tags and outputs; shorten it")
    try:
        return _LIQUID.from_string(source)
    except LiquidError as error:
        raise TemplateError(f"the template is not valid Liquid: {_said(error)}") from error
    except RecursionError as error:
        raise TemplateError("the template is nested too deeply") from error


def render_text(source: str, values: Mapping[str, Any]) -> str:
    """Operators' text with its variables filled in, as plain text; raises TemplateError."""
    try:
        return _compiled(source).render(**values)
    except (LiquidError, RecursionError, ValueError, TypeError, ArithmeticError) as error:
        raise TemplateError(f"the template cannot be rendered: {_said(error)}") from error


def variables_of(source: str) -> frozenset[str]:
    """The names that a text asks for, in any of its branches; raises TemplateError."""
    try:
        return frozenset(_compiled(source).analyze().globals)
    except LiquidError as error:
        raise TemplateError(_said(error)) from error


def _said(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def check_template(source: str) -> list[str]:
    """What is wrong with operators' text, each with its cure; an empty list when it may be used.

    Finds invalid Liquid, variables that do not exist (in every branch, also one that no sample takes), a text that
    comes out empty, and what would make a letter look like a fraud: links, account numbers, HTML.
    """
    try:
        named = variables_of(source)
    except TemplateError as error:
        return [_said(error)]
    problems = [
        f"there is no variable {name!r}; use one of {', '.join(sorted(VARIABLES))}"
        for name in sorted(named)
        if name not in VARIABLES
    ]
    return problems or [*_rendering_problems(source), *_suspicious(source)]


def _rendering_problems(source: str) -> list[str]:
    try:
        rendered = [render_text(source, sample) for sample in SAMPLES]
    except TemplateError as error:
        return [str(error)]
    return [] if all(text.strip() for text in rendered) else ["the text comes out empty for some letters"]


def _suspicious(source: str) -> list[str]:
    return [SENTENCES[fraud] for fraud in frauds_in(source)]


_ONE: dict[str, Any] = {
    "amount": "€120.00",
    "business": "Example",
    "contested": None,
    "count": 1,
    "days_overdue": 3,
    "due_on": "10 March 2026",
    "issued_on": "24 February 2026",
    "name": "Amy",
    "number": "A-1",
    "numbers": "A-1",
    "others": 0,
    "received": None,
    "tone": "firm",
    "total": "€120.00",
}
SAMPLES: tuple[dict[str, Any], ...] = (
    _ONE,
    _ONE | {"received": "€20.00", "contested": "€30.00", "total": "€70.00", "tone": "friendly"},
    _ONE | {"days_overdue": 0},
    _ONE | {"days_overdue": -3},
    _ONE | {"count": 2, "numbers": "A-1, A-2", "others": 1, "total": "€240.00", "amount": "€240.00", "tone": "final"},
)
"""Letters of every kind, for trying operators' text."""
