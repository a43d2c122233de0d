"""The stand-in as its owner holds it: started and stopped, faults ordered, payers and banks played."""

import threading
from collections import deque
from typing import Any

from nudgepay.gateways.fakes.stripe import payments
from nudgepay.gateways.fakes.stripe.deliveries import Deliveries
from nudgepay.gateways.fakes.stripe.listener import Listener
from nudgepay.gateways.fakes.stripe.store import KEY_LIFE_SECONDS, Json, Refusal, Store


class FakeStripe:
    """A context manager: a server on a free loopback port, and what its owner may make happen there."""

    def __init__(
        self, *, api_key: str = "sk_test_fake", livemode: bool = False, account: str = "acct_fake", port: int = 0
    ) -> None:
        """`api_key` is the one key that is accepted."""
        self.api_key = api_key
        self.store = Store(livemode=livemode, account=account)
        self.deliveries = Deliveries(self.store)
        self.store.on_event = self.deliveries.queue
        self.faults: deque[str] = deque()
        self.limit_per_second: int | None = None
        self.calls: list[tuple[str, str]] = []
        self._server = Listener(self, port)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "FakeStripe":
        """Start serving."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def fail_next(self, *faults: str) -> None:
        """What the next API calls meet: `500`, `503`, `429`, `401`, `drop` (no effect, no answer) or
        `drop_after` (takes effect, no answer). `ok` lets one pass."""
        self.faults.extend(faults)

    def send_webhooks_to(self, url: str, secret: str) -> None:
        """Where `deliveries.deliver_waiting()` sends events, and the endpoint's secret."""
        self.deliveries.url, self.deliveries.secret = url, secret

    def pay(self, session_id: str, method: str = "card") -> Json:
        """The payer pays the session."""
        with self.store.lock:
            return payments.pay(self.store, session_id, method)

    def settle(self, session_id: str, *, succeeds: bool) -> Json:
        """A delayed payment ends."""
        with self.store.lock:
            return payments.settle(self.store, session_id, succeeds=succeeds)

    def refund(self, payment_intent: str, amount: int | None = None) -> Json:
        """The business refunds (Stripe's units)."""
        with self.store.lock:
            return payments.refund(self.store, payment_intent, amount)

    def fail_refund(self, refund_id: str) -> Json:
        """The refund could not be paid out."""
        with self.store.lock:
            return payments.fail_refund(self.store, refund_id)

    def dispute(self, payment_intent: str, amount: int | None = None) -> Json:
        """The payer's bank takes the money back (Stripe's units)."""
        with self.store.lock:
            return payments.dispute(self.store, payment_intent, amount)

    def close_dispute(self, dispute_id: str, *, won: bool) -> Json:
        """The bank decides."""
        with self.store.lock:
            return payments.close_dispute(self.store, dispute_id, won=won)

    def sessions(self, status: str | None = None) -> list[Json]:
        """Checkout Sessions, newest first."""
        found = self.store.of_kind("checkout.session")
        return [session for session in found if status in {None, session["status"]}]

    def over_limit(self) -> bool:
        """Count a call; True when it is one too many in this second."""
        if self.limit_per_second is None:
            return False
        now = self.store.now()
        recent = self.store.objects.setdefault("_limit", {"object": "_limit", "id": "_limit", "at": now, "n": 0})
        if recent["at"] != now:
            recent.update(at=now, n=0)
        recent["n"] += 1
        return bool(recent["n"] > self.limit_per_second)

    def once(self, key: str, request: Json, make: Any) -> tuple[int, Json, bool]:
        """docs.stripe.com/api/idempotent_requests: the first result of a key, error or not, is given again."""
        with self.store.lock:
            known = self.store.keys.get(key)
            if known is not None and known["at"] + KEY_LIFE_SECONDS < self.store.now():
                known = None
            if known is not None:
                if known["request"] != request:
                    message = "Keys for idempotent requests can only be used with the parameters of their first use."
                    raise Refusal(400, "idempotency_error", message)
                if known["answer"] is None:
                    raise Refusal(409, "idempotency_error", "A request with this key is in progress.")
                return known["answer"][0], known["answer"][1], True
            entry: Json = {"at": self.store.now(), "request": request, "answer": None}
            self.store.keys[key] = entry
        status, body = make()
        entry["answer"] = (status, body)
        return status, body, False
