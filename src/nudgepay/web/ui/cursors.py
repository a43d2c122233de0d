"""Where a page of a list ends, as an opaque word in a URL. A word that is none counts as the beginning."""

import base64
import binascii
import json
import uuid
from datetime import datetime
from typing import Any


def pack(*values: datetime | uuid.UUID | int | str) -> str:
    """The last row's sort key."""
    plain = [value.isoformat() if isinstance(value, datetime) else str(value) for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def unpack(word: str, *kinds: type) -> tuple[Any, ...] | None:
    """The sort key, each value of its kind (datetime, UUID, int, str); None for what no page of ours wrote."""
    try:
        plain = json.loads(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))
        if not isinstance(plain, list) or len(plain) != len(kinds):
            return None
        return tuple(_read(value, kind) for value, kind in zip(plain, kinds, strict=True))
    except (ValueError, TypeError, binascii.Error):
        return None


def _read(value: str, kind: type) -> Any:
    return datetime.fromisoformat(value) if kind is datetime else kind(value)
