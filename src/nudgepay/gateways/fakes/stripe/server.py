"""The stand-in as its owner holds it: started and stopped, faults ordered, payers and banks played."""

import threading

from nudgepay import clock
from nudgepay.gateways.fakes.stripe import payments, sessions
from nudgepay.gateways.fakes.stripe.billing import Billing
from nudgepay.gateways.fakes.stripe.deliveries import Deliveries
from nudgepay.gateways.fakes.stripe.faults import HANG_SECONDS, Faults
from nudgepay.gateways.fakes.stripe.keys import Keys
from nudgepay.gateways.fakes.stripe.limits import Limits
from nudgepay.gateways.fakes.stripe.listener import Listener
from nudgepay.gateways.fakes.stripe.store import Json, Store


class FakeStripe:
    """A context manager: a server on a free loopback port, and what its owner may make happen there."""

    def __init__(
        self, *, api_key: str = "sk_test_fake", livemode: bool = False, account: str = "acct_fake", port: int = 0
    ) -> None:
        """`api_key` is the one key that is accepted; set it to another to revoke it."""
        self.api_key = api_key
        self.store = Store(livemode=livemode, account=account)
        self.keys = Keys(self.store.now)
        self.limits = Limits()
        self.faults = Faults()
        self.deliveries = Deliveries(self.store)
        self.billing = Billing(self.store)
        self.store.on_event = self.deliveries.queue
        self.calls: list[tuple[str, str]] = []
        self.called_at: list[float] = []
        self.hang_seconds: float = HANG_SECONDS
        self.stopped = threading.Event()
        self._server = Listener(self, port)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "FakeStripe":
        """Start serving."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving, and let go of callers that are kept waiting."""
        self.stopped.set()
        self.faults.released.set()
        self._server.shutdown()
        self._server.server_close()

    def fail_next(self, *kinds: str, on: str = "") -> None:
        """What the next API calls meet (see `faults.KINDS`); `on` narrows it to calls whose `METHOD path` begins
        so, such as "POST /v1/checkout/sessions"."""
        self.faults.order(*kinds, on=on)

    def note_call(self, method: str, path: str) -> None:
        """Keep the log of calls, and when they came (monotonic seconds)."""
        with self.store.lock:
            self.calls.append((method, path))
            self.called_at.append(clock.monotonic())

    def advance(self, seconds: float) -> None:
        """Move the stand-in's clock: keys are forgotten and sessions expire as they would."""
        with self.store.lock:
            self.store.skew += seconds
            sessions.expire_due(self.store)

    def send_webhooks_to(self, url: str, secret: str) -> None:
        """Where `deliveries.deliver_waiting()` sends events, and the endpoint's secret."""
        self.deliveries.url, self.deliveries.secret = url, secret

    def withhold(self, *event_types: str) -> None:
        """Never deliver events of these types: only a sweep can find them."""
        self.deliveries.withheld.update(event_types)

    def distort_events(self, **fields: object) -> None:
        """What later events say of themselves instead, such as `account` or `livemode`; nothing ends it."""
        self.store.distortion = dict(fields)

    def pay(self, session_id: str, method: str = "card") -> Json:
        """The payer pays the session; `sepa_debit` and other delayed methods complete it unpaid."""
        with self.store.lock:
            sessions.expire_due(self.store)
            return sessions.pay(self.store, session_id, method)

    def settle(self, session_id: str, *, succeeds: bool = True) -> Json:
        """A delayed payment ends; by the id of its session or PaymentIntent."""
        with self.store.lock:
            return sessions.settle(self.store, session_id, succeeds=succeeds)

    def expire(self, session_id: str) -> Json:
        """The session's time is over."""
        with self.store.lock:
            return sessions.expire_session(self.store, session_id)

    def refund(self, payment_intent: str, amount: int | None = None) -> Json:
        """The business refunds (Stripe's units)."""
        with self.store.lock:
            return payments.refund(self.store, payment_intent, amount)

    def fail_refund(self, refund_id: str) -> Json:
        """The refund could not be paid out."""
        with self.store.lock:
            return payments.fail_refund(self.store, refund_id)

    def dispute(self, payment_intent: str, amount: int | None = None, *, is_inquiry: bool = False) -> Json:
        """The payer's bank takes the money back (Stripe's units), or only asks."""
        with self.store.lock:
            return payments.dispute(self.store, payment_intent, amount, is_inquiry=is_inquiry)

    def close_dispute(self, dispute_id: str, *, won: bool) -> Json:
        """The bank decides."""
        with self.store.lock:
            return payments.close_dispute(self.store, dispute_id, won=won)

    def sessions(self, status: str | None = None) -> list[Json]:
        """Checkout Sessions, newest first."""
        with self.store.lock:
            found = self.store.of_kind("checkout.session")
        return [session for session in found if status in {None, session["status"]}]
