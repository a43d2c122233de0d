"""What the stand-in remembers: objects, events, idempotency keys. One lock over all of it."""

import secrets
import threading
from collections.abc import Callable
from typing import Any

from nudgepay import clock

Json = dict[str, Any]
KEY_LIFE_SECONDS = 24 * 3600
"""docs.stripe.com/api/idempotent_requests: keys can be removed after at least 24 hours."""


class Refusal(Exception):
    """An answer in Stripe's error shape (docs.stripe.com/api/errors)."""

    def __init__(self, status: int, kind: str, message: str, *, code: str | None = None, param: str | None = None):
        """`kind` is the error's `type`, such as invalid_request_error."""
        super().__init__(message)
        self.status = status
        self.body: Json = {"error": {"type": kind, "message": message}}
        if code:
            self.body["error"]["code"] = code
        if param:
            self.body["error"]["param"] = param


def missing(kind: str, object_id: str) -> Refusal:
    """404 resource_missing."""
    message = f"No such {kind}: '{object_id}'"
    return Refusal(404, "invalid_request_error", message, code="resource_missing", param="id")


class Store:
    """Objects by id in the order in which they were made."""

    def __init__(self, *, livemode: bool, account: str) -> None:
        """`livemode` is what every object says of itself."""
        self.lock = threading.RLock()
        self.livemode = livemode
        self.account = account
        self.objects: dict[str, Json] = {}
        self.events: list[Json] = []
        self.keys: dict[str, Json] = {}
        self.skew = 0.0
        self.on_event: Callable[[Json], None] = lambda event: None

    def now(self) -> int:
        """Seconds since 1970 of the stand-in's own clock, which tests may move."""
        return int(clock.now().timestamp() + self.skew)

    def new_id(self, prefix: str) -> str:
        """An id shaped like Stripe's."""
        return f"{prefix}_{secrets.token_hex(12)}"

    def add(self, item: Json) -> Json:
        """Remember a new object."""
        item.setdefault("created", self.now())
        item.setdefault("livemode", self.livemode)
        self.objects[item["id"]] = item
        return item

    def get(self, kind: str, object_id: str) -> Json:
        """The object, or a 404 in Stripe's shape."""
        found = self.objects.get(object_id)
        if found is None or found["object"] != kind:
            raise missing(kind, object_id)
        return found

    def of_kind(self, kind: str) -> list[Json]:
        """Every object of a kind, newest first (docs.stripe.com/api/pagination)."""
        return [item for item in reversed(self.objects.values()) if item["object"] == kind]

    def emit(self, event_type: str, item: Json) -> Json:
        """An event with a snapshot of the object (docs.stripe.com/api/events/object)."""
        event: Json = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": "2025-10-29.clover",
            "created": self.now(),
            "data": {"object": _snapshot(item)},
            "livemode": self.livemode,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": event_type,
        }
        self.events.append(event)
        self.on_event(event)
        return event


def _snapshot(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: _snapshot(value) for key, value in item.items()}
    return [_snapshot(value) for value in item] if isinstance(item, list) else item
