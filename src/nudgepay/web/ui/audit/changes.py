"""What an act changed, field by field: what was, what is, amounts as amounts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nudgepay.errors import NudgePayError
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.rendering import money

MOST_LINES = 20
LONGEST = 160
UNTOLD = frozenset({"version"})


@dataclass(frozen=True, slots=True)
class Change:
    """`before` is None where nothing was said about it."""

    name: str
    before: str | None
    after: str | None


def changes_of(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, page: Page) -> list[Change]:
    """The fields that differ, and those that only one side has."""
    was, now = dict(before or {}), dict(after or {})
    same = {name for name in was if was[name] == now.get(name)}
    names = [name for name in {**was, **now} if name not in UNTOLD | same]
    return [
        Change(
            name[:60].replace("_", " "),
            _written(name, was, page) if name in was else None,
            _written(name, now, page) if name in now else None,
        )
        for name in names[:MOST_LINES]
    ]


def _written(name: str, side: Mapping[str, Any], page: Page) -> str:
    value, currency = side[name], side.get("currency")
    if value is None or value == "":
        return "–"
    if name.startswith("amount") and isinstance(value, int) and isinstance(currency, str):
        try:
            return money(value, currency, page)
        except (NudgePayError, ValueError, LookupError):
            return f"{value} {currency[:10]}"
    written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return written if len(written) <= LONGEST else f"{written[:LONGEST]} …"
