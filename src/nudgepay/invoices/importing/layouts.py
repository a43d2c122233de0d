"""What is known of a file's columns and conventions: a preset, a saved mapping, or plain."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from nudgepay.errors import UsageError

PRESETS = Path(__file__).parent / "presets"
PLAIN = "plain"
GROUP = "(group)"
"""The name under which the heading above a row is found, in reports that are grouped by client."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns by field, in order of preference, and the conventions of the program that wrote the file.

    `recognised_by` is a list of columns, each with its spellings; all must be there. `passed_over` maps a word of
    the status column to a reason, and `passes_over` those of other columns; rows whose kind is not in `kinds` are no
    invoices. `lines` says what several rows with one number are: a fault (`one`), the same total on each (`same`),
    or parts of a sum (`sum`). A report has headings and totals between its rows.
    """

    name: str
    title: str
    columns: Mapping[str, Sequence[str]]
    recognised_by: Sequence[Sequence[str]] = ()
    dates: Literal["account", "utc"] = "account"
    amounts: Literal["plain", "locale", "en"] = "locale"
    lines: Literal["one", "same", "sum"] = "one"
    status: str = ""
    passed_over: Mapping[str, str] = field(default_factory=dict)
    passes_over: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    kind: Sequence[str] = ()
    kinds: Sequence[str] = ()
    is_report: bool = False
    is_grouped: bool = False
    is_foreign: bool = False
    is_quoted: bool = False
    locale: str | None = None
    currency: str | None = None


def plain(name: str) -> str:
    """A column's name without regard to case and spaces."""
    return "_".join(name.casefold().split())


@lru_cache(maxsize=1)
def presets() -> Mapping[str, Layout]:
    """Every known export by name; those with more columns to be recognised by come first."""
    found = [_read(file) for file in sorted(PRESETS.glob("*.toml"))]
    found.sort(key=lambda layout: -len(layout.recognised_by))
    return {layout.name: layout for layout in found}


def preset(name: str) -> Layout:
    """The preset with this name; raises UsageError."""
    found = presets().get(name)
    if found is None:
        raise UsageError(f"--as {name}: known are {', '.join([PLAIN, *sorted(presets())])}")
    return found


def _read(file: Path) -> Layout:
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    status = data.get("status", {})
    return Layout(
        name=file.stem,
        title=data["title"],
        columns={name: _spellings(value) for name, value in data["columns"].items()},
        recognised_by=[_spellings(value) for value in data["recognised_by"]],
        dates=data.get("dates", "account"),
        amounts=data.get("amounts", "locale"),
        lines=data.get("lines", "one"),
        status=status.get("column", ""),
        passed_over=_folded(status.get("passed_over", {})),
        passes_over={name: _folded(words) for name, words in data.get("passes_over", {}).items()},
        kind=_spellings(data.get("kind", {}).get("column", [])),
        kinds=[word.casefold() for word in data.get("kind", {}).get("invoices", [])],
        is_report=data.get("report", False),
        is_grouped=data.get("grouped_by_client", False),
        is_foreign=data.get("foreign", True),
        is_quoted=data.get("quoted", False),
    )


def _spellings(value: Any) -> Sequence[str]:
    return (value,) if isinstance(value, str) else tuple(value)


def _folded(words: Mapping[str, str]) -> Mapping[str, str]:
    return {word.casefold(): reason for word, reason in words.items()}
