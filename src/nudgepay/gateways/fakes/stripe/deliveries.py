"""Webhooks as Stripe sends them: signed anew on each try, retried, now and then doubled or out of order.

docs.stripe.com/webhooks/signature: `Stripe-Signature: t=SECONDS,v1=HEX` over `{t}.{body}`, HMAC-SHA256.
docs.stripe.com/webhooks#behaviors: retried with growing pauses for up to three days; the order is not promised,
and the same event may come more than once.
"""

import hashlib
import hmac
import json
import random
import urllib.error
import urllib.request
from dataclasses import dataclass

from nudgepay.gateways.fakes.stripe.store import Json, Store, public

TIMEOUT_SECONDS = 10
FIRST_PAUSE_SECONDS = 60
GIVE_UP_SECONDS = 3 * 24 * 3600


def signature(body: bytes, secret: str, at: int) -> str:
    """The header's value for this body at this second."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def event_body(event: Json) -> bytes:
    """The bytes that are sent and signed."""
    return json.dumps(public(event), indent=2).encode()


@dataclass(slots=True)
class _Tried:
    tries: int = 0
    next_at: int = 0


class Deliveries:
    """Sends events to one endpoint. `withheld` types are never sent, so that only a sweep finds them."""

    def __init__(self, store: Store) -> None:
        """Off until an endpoint is set."""
        self._store = store
        self._tried: dict[str, _Tried] = {}
        self.url: str | None = None
        self.secret = ""
        self.withheld: set[str] = set()
        self.waiting: list[Json] = []

    def queue(self, event: Json) -> None:
        """Remember an event for delivery."""
        self.waiting.append(event)

    def disorder(self, seed: int, *, doubled: float = 0.0) -> None:
        """Shuffle what waits, and let a share of it (0 to 1) come twice."""
        order = random.Random(seed)  # noqa: S311  # nosec B311  # repeatable disorder, guards nothing
        self.waiting += [event for event in self.waiting if order.random() < doubled]
        order.shuffle(self.waiting)

    def deliver_waiting(self) -> int:
        """Try each waiting event once, now; what is refused stays waiting. Returns how many were taken."""
        todo, self.waiting = self.waiting, []
        return sum(self._try(event) for event in todo)

    def deliver_due(self) -> int:
        """Try the waiting events whose pause is over by the stand-in's clock; returns how many were taken."""
        now = self._store.now()
        todo = [event for event in self.waiting if self._tried.get(event["id"], _Tried()).next_at <= now]
        self.waiting = [event for event in self.waiting if event not in todo]
        return sum(self._try(event) for event in todo)

    def deliver(self, event: Json) -> bool:
        """One try; True for a 2xx."""
        if self.url is None:
            return False
        body = event_body(event)
        request = urllib.request.Request(self.url, data=body, method="POST")  # noqa: S310  # loopback, set by tests
        request.add_header("Content-Type", "application/json; charset=utf-8")
        request.add_header("Stripe-Signature", signature(body, self.secret, self._store.now()))
        request.add_header("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as reply:  # noqa: S310  # as above
                ok = 200 <= int(reply.status) < 300
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            ok = False
        if ok:
            event["pending_webhooks"] = 0
        return ok

    def _try(self, event: Json) -> bool:
        if event["type"] in self.withheld:
            return False
        if self.deliver(event):
            self._tried.pop(event["id"], None)
            return True
        now = self._store.now()
        tried = self._tried.setdefault(event["id"], _Tried())
        tried.next_at = now + FIRST_PAUSE_SECONDS * 2**tried.tries
        tried.tries += 1
        if now - event["created"] < GIVE_UP_SECONDS:
            self.waiting.append(event)
        return False
