"""The stand-in's HTTP side: authentication, limits, idempotency, faults, in the order in which Stripe has them.

docs.stripe.com/error-low-level: the key and the limiter come before the idempotency layer, so a 401 and a 429 are
never saved for a key.
"""

import base64
import binascii
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from nudgepay.gateways.fakes.stripe import pay_page
from nudgepay.gateways.fakes.stripe.forms import parse_form
from nudgepay.gateways.fakes.stripe.keys import Answer
from nudgepay.gateways.fakes.stripe.routes import answer, endpoint
from nudgepay.gateways.fakes.stripe.store import Json, Refusal, invalid

if TYPE_CHECKING:
    from nudgepay.gateways.fakes.stripe.server import FakeStripe

MAX_BODY = 1_000_000
_FAILED: Json = {"error": {"type": "api_error", "message": "An unknown error occurred."}}


class Listener(ThreadingHTTPServer):
    """Listens on loopback for one stand-in."""

    daemon_threads = True

    def __init__(self, fake: "FakeStripe", port: int) -> None:
        """`port` 0 takes a free one."""
        self.fake = fake
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    @property
    def fake(self) -> "FakeStripe":
        return cast("Listener", self.server).fake

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def log_message(self, *_: object) -> None:
        """Silent."""

    def _serve(self, method: str) -> None:
        parts = urlsplit(self.path)
        length = min(int(self.headers.get("Content-Length") or 0), MAX_BODY)
        body = self.rfile.read(length).decode()
        if parts.path.startswith(pay_page.PATH):
            self._pay_page(method, parts.path.removeprefix(pay_page.PATH), body)
            return
        self.fake.note_call(method, parts.path)
        fault = self.fake.faults.next_for(method, parts.path)
        request_id = self.fake.store.new_id("req")
        if fault != "drop":
            raw = parts.query if method == "GET" else body
            self._answer_api(method, parts.path, raw, fault, request_id)
        if fault in {"drop", "drop_after", "hang_after"}:
            self.close_connection = True

    def _answer_api(self, method: str, path: str, raw: str, fault: str, request_id: str) -> None:
        try:
            given = self._decide(method, path, raw, fault, request_id)
        except Refusal as refusal:
            given = Answer(refusal.status, refusal.body)
        if fault == "hang_after":
            self.fake.stopped.wait(self.fake.hang_seconds)
        if fault not in {"drop_after", "hang_after"}:
            self._send_api(given, request_id)

    def _decide(self, method: str, path: str, raw: str, fault: str, request_id: str) -> Answer:
        if fault == "401" or not self._is_authorized():
            raise Refusal(401, "invalid_request_error", "Invalid API Key provided.")
        if fault == "429" or self.fake.limits.is_over(endpoint(method, path)):
            raise Refusal(429, "invalid_request_error", "Request rate limit exceeded.", code="rate_limit")
        if fault == "503":
            return Answer(503, _FAILED)
        params = parse_form(raw)
        key = self.headers.get("Idempotency-Key")
        if method != "POST" or key is None:
            return self._work(method, path, params, fault)
        request = {"path": path, "params": params}
        return self.fake.keys.once(key, request, request_id, lambda: self._work(method, path, params, fault))

    def _is_authorized(self) -> bool:
        """docs.stripe.com/api/authentication: a Bearer token, or Basic with the key as the user's name."""
        scheme, _, value = (self.headers.get("Authorization") or "").partition(" ")
        if scheme == "Basic":
            try:
                value = base64.b64decode(value, validate=True).decode().partition(":")[0]
            except (binascii.Error, UnicodeDecodeError):
                return False
        return scheme in {"Basic", "Bearer"} and value == self.fake.api_key

    def _work(self, method: str, path: str, params: Json, fault: str) -> Answer:
        if fault == "500":
            return Answer(500, _FAILED)
        if fault == "hold":
            self.fake.faults.hold()
        try:
            with self.fake.store.lock:
                document = answer(self.fake.store, method, path, params, self.fake.url)
        except Refusal as refusal:
            return Answer(refusal.status, refusal.body, is_saved=refusal.status != 400)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            malformed = invalid(f"The parameters have a shape that does not fit ({type(error).__name__}).")
            return Answer(malformed.status, malformed.body, is_saved=False)
        return Answer(500, _FAILED) if fault == "500_after" else Answer(200, document)

    def _pay_page(self, method: str, session_id: str, body: str) -> None:
        shown = pay_page.visit(self.fake, method, session_id, parse_form(body))
        self.send_response(shown.status)
        if shown.location:
            self.send_header("Location", shown.location)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self._end(shown.html.encode())

    def _send_api(self, given: Answer, request_id: str) -> None:
        self.send_response(given.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Request-Id", request_id)
        for name in ("Idempotency-Key", "Stripe-Version"):
            if self.headers.get(name):
                self.send_header(name, self.headers[name])
        if given.replay_of is not None:
            self.send_header("Idempotent-Replayed", "true")
            self.send_header("Original-Request", given.replay_of)
        if given.status == 429:
            self.send_header("Stripe-Rate-Limited-Reason", "endpoint-rate")
            self.send_header("Stripe-Should-Retry", "true")
            if self.fake.limits.retry_after is not None:
                self.send_header("Retry-After", str(self.fake.limits.retry_after))
        if given.status == 500:
            self.send_header("Stripe-Should-Retry", "false")
        self._end(json.dumps(given.body, indent=2).encode())

    def _end(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
