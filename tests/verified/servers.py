"""Two servers that speak Stripe's API, each able to take one payment, and an endpoint that takes webhooks."""

import fcntl
import socket
import subprocess
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import stripe

from nudgepay.gateways.fakes.stripe import FakeStripe

SECRET = "whsec_verified"
KEY = "sk_test_verified"
START_SECONDS = 30


@dataclass
class Endpoint:
    """What arrived: bodies and signature headers, and the statuses that the next ones are answered with."""

    url: str = ""
    taken: list[tuple[bytes, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int) -> list[tuple[bytes, str]]:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.taken) >= count, timeout=20)
            return list(self.taken)


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """A webhook endpoint on loopback."""
    shown = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with shown.arrived:
                status = shown.answers.pop(0) if shown.answers else 200
                shown.taken.append((body, self.headers["Stripe-Signature"]))
                shown.arrived.notify_all()
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shown.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield shown
    server.shutdown()
    server.server_close()


@dataclass
class Server(ABC):
    """One server under the same assertions as the other."""

    name: str
    url: str

    @property
    def client(self) -> stripe.StripeClient:
        return stripe.StripeClient(KEY, base_addresses={"api": self.url}, max_network_retries=0)

    @abstractmethod
    def take_payment(self, amount: int) -> Any:
        """A PaymentIntent that succeeded."""
        ...

    @abstractmethod
    def send_webhooks_to(self, url: str) -> None: ...

    @abstractmethod
    def deliver(self) -> None:
        """Let what happened be told."""


@dataclass
class Ours(Server):
    fake: FakeStripe

    def take_payment(self, amount: int) -> Any:
        created = self.client.v1.checkout.sessions.create(session_params(amount))
        return self.client.v1.payment_intents.retrieve(self.fake.pay(created.id)["payment_intent"])

    def send_webhooks_to(self, url: str) -> None:
        self.fake.send_webhooks_to(url, SECRET)

    def deliver(self) -> None:
        self.fake.deliveries.deliver_waiting()


@dataclass
class Localstripe(Server):
    def take_payment(self, amount: int) -> Any:
        client = self.client.v1
        customer = client.customers.create({"email": "payer@client.example"})
        card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2090, "cvc": "123"}
        method = client.payment_methods.create({"type": "card", "card": card})  # type: ignore[arg-type]
        client.payment_methods.attach(method.id, {"customer": customer.id})
        intent = client.payment_intents.create(
            {"amount": amount, "currency": "eur", "customer": customer.id, "payment_method": method.id}
        )
        return client.payment_intents.confirm(intent.id)

    def send_webhooks_to(self, url: str) -> None:
        import urllib.parse
        import urllib.request

        body = urllib.parse.urlencode({"url": url, "secret": SECRET}).encode()
        urllib.request.urlopen(f"{self.url}/_config/webhooks/main", body, timeout=10).close()

    def deliver(self) -> None:
        """It tells by itself, at once."""


def session_params(amount: int, **changes: Any) -> Any:
    """Parameters of a Checkout Session, as the SDK takes them."""
    return {
        "mode": "payment",
        "success_url": "https://pay.example/done",
        "line_items": [
            {
                "quantity": 1,
                "price_data": {"currency": "eur", "unit_amount": amount, "product_data": {"name": "A-1"}},
            }
        ],
        **changes,
    }


@contextmanager
def ours() -> Iterator[Ours]:
    """The stand-in of this project."""
    with FakeStripe(api_key=KEY) as fake:
        yield Ours("ours", fake.url, fake)


@contextmanager
def localstripe() -> Iterator[Localstripe]:
    """localstripe, a stand-in by others, in a process of its own.

    It begins by removing one file of a fixed name: of two that begin at once, one would fail.
    """
    with (Path(tempfile.gettempdir()) / "nudgepay-localstripe.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        for tries_left in (2, 1, 0):
            with suppress(*[AssertionError] * bool(tries_left)):
                port, process = _start_localstripe()
                break
    try:
        yield Localstripe("localstripe", f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


def _start_localstripe() -> tuple[int, subprocess.Popen[bytes]]:
    """On a port that was free a moment ago: another process may take it first, and then it ends at once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "localstripe", "--port", str(port), "--from-scratch"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
    except BaseException:
        process.kill()
        process.wait(10)
        raise
    return port, process


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    pause = threading.Event()
    for _ in range(START_SECONDS * 20):
        assert process.poll() is None, "localstripe ended at once"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            pause.wait(0.05)
        else:
            return
    raise AssertionError("localstripe does not listen")
