"""Webhooks as Stripe sends them: signed anew on each try, retried, now and then doubled or out of order.

docs.stripe.com/webhooks/signature: `Stripe-Signature: t=SECONDS,v1=HEX` over `{t}.{body}`, HMAC-SHA256.
"""

import hashlib
import hmac
import json
import urllib.error
import urllib.request

from nudgepay.gateways.fakes.stripe.routes import public
from nudgepay.gateways.fakes.stripe.store import Json, Store

TIMEOUT_SECONDS = 10


def signature(body: bytes, secret: str, at: int) -> str:
    """The header's value for this body at this second."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def event_body(event: Json) -> bytes:
    """The bytes that are sent and signed."""
    return json.dumps(public(event), indent=2).encode()


class Deliveries:
    """Sends events to one endpoint. `withheld` types are never sent, so that only a sweep finds them."""

    def __init__(self, store: Store) -> None:
        """Off until an endpoint is set."""
        self._store = store
        self.url: str | None = None
        self.secret = ""
        self.withheld: set[str] = set()
        self.waiting: list[Json] = []

    def queue(self, event: Json) -> None:
        """Remember an event for delivery."""
        self.waiting.append(event)

    def deliver_waiting(self) -> int:
        """Try each waiting event once; what is refused stays waiting. Returns how many were taken."""
        todo, self.waiting = self.waiting, []
        taken = 0
        for event in todo:
            if event["type"] in self.withheld:
                continue
            if self.deliver(event):
                taken += 1
            else:
                self.waiting.append(event)
        return taken

    def deliver(self, event: Json) -> bool:
        """One try; True for a 2xx."""
        if self.url is None:
            return False
        body = event_body(event)
        request = urllib.request.Request(self.url, data=body, method="POST")  # noqa: S310  # loopback, set by tests
        request.add_header("Content-Type", "application/json; charset=utf-8")
        request.add_header("Stripe-Signature", signature(body, self.secret, self._store.now()))
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as reply:  # noqa: S310  # as above
                ok = 200 <= int(reply.status) < 300
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            ok = False
        if ok:
            event["pending_webhooks"] = 0
        return ok
