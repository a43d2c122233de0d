"""What an act changed, field by field: what was, what is, amounts as amounts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nudgepay.errors import NudgePayError
from nudgepay.web.ui.audit.words import FIELDS
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.rendering import money

MOST_LINES = 20
LONGEST = 160
UNTOLD = frozenset({"version", "currency", "invoice_id"})
"""Said by the sentence, by an amount, or of no interest to people."""
NOTHING = (None, "", "None")


@dataclass(frozen=True, slots=True)
class Change:
    """A field; empty where there was, or is, nothing."""

    name: str
    before: str
    after: str


def changes_of(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, page: Page, *, currency: str = ""
) -> list[Change]:
    """The fields that differ, and those that only one side has; amounts in their own currency, or in this one."""
    was, now = dict(before or {}), dict(after or {})
    found = [
        Change(_name(name, page), _written(name, was, page, currency), _written(name, now, page, currency))
        for name in {**was, **now}
        if name not in UNTOLD
    ]
    return [one for one in found if one.before != one.after][:MOST_LINES]


def _name(name: str, page: Page) -> str:
    return page.gettext(FIELDS[name]) if name in FIELDS else name[:60].replace("_", " ")


def _written(name: str, side: Mapping[str, Any], page: Page, currency: str) -> str:
    value = side.get(name)
    if value in NOTHING:
        return ""
    own = side.get("currency") or currency
    if name.startswith("amount") and isinstance(value, int) and isinstance(own, str) and own:
        try:
            return money(value, own, page)
        except (NudgePayError, ValueError, LookupError):
            return f"{value} {own[:10]}"
    written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return written if len(written) <= LONGEST else f"{written[:LONGEST]} …"
