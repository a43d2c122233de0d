"""The words of a letter: operators' Liquid inside our own fixed frame. Templates are compiled once. Pure."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape
from liquid import BoundTemplate
from liquid import Environment as LiquidEnvironment
from liquid import StrictUndefined as LiquidStrictUndefined
from liquid.exceptions import LiquidError

from nudgepay.errors import UsageError

TEMPLATES = Path(__file__).parent / "templates"
VARIABLES = frozenset(
    {"name", "business", "count", "number", "numbers", "total", "due_on", "days_overdue", "received"}
)
"""What operators' text may name."""


class TemplateError(UsageError):
    """The operators' text cannot be rendered; the message says where."""


class _OperatorsLiquid(LiquidEnvironment):
    """No files, no includes, bounded loops and output."""

    loop_iteration_limit = 1_000
    output_stream_limit = 20_000
    local_namespace_limit = 20_000
    context_depth_limit = 10


_LIQUID = _OperatorsLiquid(undefined=LiquidStrictUndefined, autoescape=False)
_FRAME = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
)


@dataclass(frozen=True, slots=True)
class LetterTemplate:
    """One template in one language: what the operators wrote."""

    subject: str
    body: str


@lru_cache(maxsize=32)
def catalogue(language: str) -> dict[str, Any]:
    """Every word and template of one language."""
    return tomllib.loads((TEMPLATES / f"{language}.toml").read_text(encoding="utf-8"))


def words(language: str) -> dict[str, str]:
    """The fixed words of the frame in one language."""
    found: dict[str, str] = catalogue(language)["words"]
    return found


def built_in(template: str, language: str) -> LetterTemplate:
    """The template that ships; raises TemplateError for an unknown name."""
    found = catalogue(language).get(template)
    if found is None or template == "words":
        raise TemplateError(f"there is no template {template!r}")
    return LetterTemplate(found["subject"], found["body"].strip())


@lru_cache(maxsize=512)
def _compiled(source: str) -> BoundTemplate:
    try:
        return _LIQUID.from_string(source)
    except LiquidError as error:
        raise TemplateError(f"the template is not valid Liquid: {error}") from error


def render_liquid(source: str, values: dict[str, Any]) -> str:
    """Operators' text with its variables filled in; values are data, never templates."""
    try:
        return _compiled(source).render(**values)
    except LiquidError as error:
        raise TemplateError(f"the template cannot be rendered: {error}") from error


@lru_cache(maxsize=2)
def frame(name: str) -> Template:
    """`letter.html` or `letter.txt`, compiled."""
    return _FRAME.get_template(name)


def check_template(subject: str, body: str) -> list[str]:
    """What is wrong with operators' text: syntax, unknown variables, links that are not the pay page's."""
    problems = []
    sample = dict.fromkeys(VARIABLES, "x") | {"count": 1, "received": False}
    for part, source in (("subject", subject), ("body", body)):
        try:
            render_liquid(source, sample)
        except TemplateError as error:
            problems.append(f"{part}: {error}")
        if "://" in source or "www." in source.lower():
            problems.append(f"{part}: holds a link; the pay link is added by itself, other links look like phishing")
    return problems
