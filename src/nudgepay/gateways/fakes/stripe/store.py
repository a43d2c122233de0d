"""What the stand-in remembers: objects and events, on a clock that its owner may move. One lock over all of it."""

import secrets
import threading
from collections.abc import Callable
from typing import Any

from nudgepay import clock

Json = dict[str, Any]


class Refusal(Exception):
    """An answer in Stripe's error shape (docs.stripe.com/api/errors)."""

    def __init__(self, status: int, kind: str, message: str, *, code: str | None = None, param: str | None = None):
        """`kind` is the error's `type`, such as invalid_request_error."""
        super().__init__(message)
        self.status = status
        self.body: Json = {"error": {"type": kind, "message": message}}
        if code:
            self.body["error"]["code"] = code
            self.body["error"]["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        if param:
            self.body["error"]["param"] = param


def invalid(message: str, *, code: str | None = None, param: str | None = None) -> Refusal:
    """400 invalid_request_error."""
    return Refusal(400, "invalid_request_error", message, code=code, param=param)


def missing(kind: str, object_id: str) -> Refusal:
    """404 resource_missing (docs.stripe.com/error-codes)."""
    message = f"No such {kind}: '{object_id}'"
    return Refusal(404, "invalid_request_error", message, code="resource_missing", param="id")


class Store:
    """Objects by id in the order in which they were made. Fields that begin with `_` are never shown."""

    def __init__(self, *, livemode: bool, account: str) -> None:
        """`livemode` is what every object says of itself."""
        self.lock = threading.RLock()
        self.livemode = livemode
        self.account = account
        self.objects: dict[str, Json] = {}
        self.events: list[Json] = []
        self.skew = 0.0
        self.distortion: Json = {}
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
        """An event with a snapshot of the object (docs.stripe.com/api/events/object).

        `api_version` is that of the account when the event was made. `account` appears on events of connected
        accounts only; here it comes from `distortion`, with which tests send what is not ours.
        """
        event: Json = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": self.now(),
            "data": {"object": public(item)},
            "livemode": self.livemode,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": event_type,
            **self.distortion,
        }
        self.events.append(event)
        self.on_event(event)
        return event


def public(node: Any) -> Any:
    """A copy without what only the stand-in needs to know."""
    if isinstance(node, dict):
        return {key: public(value) for key, value in node.items() if not key.startswith("_")}
    return [public(value) for value in node] if isinstance(node, list) else node
