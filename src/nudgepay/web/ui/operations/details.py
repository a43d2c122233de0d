"""A run's details as lines that a person can read."""

import json
from typing import Any

MOST_LINES = 40
LONGEST = 200


def readable(details: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value of each detail; lists by their length, the rest shortened."""
    return [(str(name)[:80], _value(value)) for name, value in list(details.items())[:MOST_LINES]]


def _value(value: Any) -> str:
    if isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        return str(len(value))
    written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return written if len(written) <= LONGEST else f"{written[:LONGEST]} …"
