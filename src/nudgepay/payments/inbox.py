"""The inbox: an event is stored before it is answered. Parsing stops at what storing needs."""

import json
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.errors import UsageError

MAX_BODY = 256 * 1024
_EVENT_ID = re.compile(r"evt_[A-Za-z0-9_]{1,250}")
_TYPE = re.compile(r"[a-z0-9_.]{1,100}")
_UNSTORABLE = re.compile("[\\0\\ud800-\\udfff]")
_UNSTORABLE_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)

STORE = """
INSERT INTO stripe_events (event_id, type, payload) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""
"""The one statement of the hot path (psycopg's placeholders)."""


class BadEvent(UsageError):
    """Signed, but no event that could ever be used."""

    status = 400


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """What is stored: the id and type, and the text as it came."""

    event_id: str
    type: str
    payload: str


def parse(raw: bytes) -> IncomingEvent:
    """Read an event's id and type; raises BadEvent."""
    try:
        payload = raw.decode("utf-8")
        document = _DECODER.decode(payload)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadEvent("the body is no JSON") from error
    if not isinstance(document, dict):
        raise BadEvent("the body is no event object")
    if _UNSTORABLE_ESCAPE.search(payload) and not _is_storable(document):
        raise BadEvent("the event holds characters that no text may hold")
    event_id, event_type = document.get("id"), document.get("type")
    if not isinstance(event_id, str) or not _EVENT_ID.fullmatch(event_id):
        raise BadEvent("the event has no usable id")
    if not isinstance(event_type, str) or not _TYPE.fullmatch(event_type):
        raise BadEvent("the event has no usable type")
    return IncomingEvent(event_id, event_type, payload)


def _is_storable(document: dict[str, Any]) -> bool:
    """False for NUL or half of a surrogate pair in any string: PostgreSQL's text takes neither."""
    waiting: list[Any] = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str) and _UNSTORABLE.search(node):
            return False
        if isinstance(node, dict):
            waiting += [*node.keys(), *node.values()]
        elif isinstance(node, list):
            waiting += node
    return True


def store(session: Session, event: IncomingEvent) -> bool:
    """Put an event into the inbox; False when it was there."""
    query = text(STORE.replace("(%s, %s, %s)", "(:event_id, :type, :payload)") + " RETURNING event_id")
    values = {"event_id": event.event_id, "type": event.type, "payload": event.payload}
    return session.execute(query, values).first() is not None


def is_waiting(session: Session) -> bool:
    """True when an event waits to be applied now."""
    query = "SELECT 1 FROM stripe_events WHERE handled_at IS NULL AND next_try_at <= clock_timestamp() LIMIT 1"
    return session.execute(text(query)).first() is not None
