"""Stripe's request encoding: form fields with brackets (docs.stripe.com/api, "form-encoded request bodies")."""

import re
from typing import Any
from urllib.parse import parse_qsl

from nudgepay.gateways.fakes.stripe.store import invalid

_PART = re.compile(r"[^\[\]]+")


def parse_form(body: str) -> dict[str, Any]:
    """`a[b]=1&c[0][d]=2` as `{"a": {"b": "1"}, "c": [{"d": "2"}]}`; raises Refusal."""
    root: dict[str, Any] = {}
    for key, value in parse_qsl(body, keep_blank_values=True):
        parts = _PART.findall(key)
        place = root
        for part in parts[:-1]:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise invalid(f"`{part}` cannot be both a value and an object.", param=part)
        place[parts[-1] if parts else key] = value
    listed: dict[str, Any] = _lists(root, "")
    return listed


def _lists(node: Any, name: str) -> Any:
    """Numbered fields are a list, but not in metadata, whose keys are the caller's own."""
    if not isinstance(node, dict):
        return node
    made = {key: _lists(value, key) for key, value in node.items()}
    if made and name != "metadata" and all(key.isdigit() for key in made):
        return [made[key] for key in sorted(made, key=int)]
    return made
