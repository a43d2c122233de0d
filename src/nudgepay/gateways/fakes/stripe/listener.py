"""The stand-in's HTTP side: authentication, idempotency, limits, faults, and a tiny hosted pay page."""

import html
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from nudgepay.gateways.fakes.stripe.forms import parse_form
from nudgepay.gateways.fakes.stripe.routes import answer, public
from nudgepay.gateways.fakes.stripe.store import Json, Refusal

if TYPE_CHECKING:
    from nudgepay.gateways.fakes.stripe.server import FakeStripe

PAY_PAGE = "/c/pay/"


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
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if parts.path.startswith(PAY_PAGE):
            self._pay_page(method, parts.path.removeprefix(PAY_PAGE), body)
            return
        self.fake.calls.append((method, parts.path))
        fault = self.fake.faults.popleft() if self.fake.faults else "ok"
        if fault == "drop":
            self.close_connection = True
            return
        params = parse_form(parts.query if method == "GET" else body)
        try:
            status, document, replayed = self._answer(method, parts.path, params, fault)
        except Refusal as refusal:
            status, document, replayed = refusal.status, refusal.body, False
        if fault == "drop_after":
            self.close_connection = True
            return
        self._send(status, json.dumps(document).encode(), "application/json", replayed=replayed)

    def _answer(self, method: str, path: str, params: Json, fault: str) -> tuple[int, Json, bool]:
        if self.headers.get("Authorization") != f"Bearer {self.fake.api_key}" or fault == "401":
            raise Refusal(401, "invalid_request_error", "Invalid API Key provided.")
        if fault == "429" or self.fake.over_limit():
            raise Refusal(429, "invalid_request_error", "Too many requests.", code="rate_limit")

        def make() -> tuple[int, Json]:
            return self._make(method, path, params, fault)

        key = self.headers.get("Idempotency-Key")
        if method == "POST" and key:
            return self.fake.once(key, {"path": path, "params": params}, make)
        return (*make(), False)

    def _make(self, method: str, path: str, params: Json, fault: str) -> tuple[int, Json]:
        if fault in {"500", "503"}:
            return int(fault), {"error": {"type": "api_error", "message": "An unknown error occurred."}}
        try:
            with self.fake.store.lock:
                return 200, public(answer(self.fake.store, method, path, params, self.fake.url))
        except Refusal as refusal:
            return refusal.status, refusal.body

    def _pay_page(self, method: str, session_id: str, body: str) -> None:
        session = self.fake.store.objects.get(session_id)
        if session is None or session["status"] != "open":
            self._send(404, b"<!doctype html><title>Expired</title><p>This page has expired.", "text/html")
            return
        if method == "POST":
            self.fake.pay(session_id, parse_form(body).get("method", "card"))
            self.fake.deliveries.deliver_waiting()
            self._redirect(session["success_url"])
            return
        self._send(200, _pay_page(session).encode(), "text/html; charset=utf-8")

    def _redirect(self, to: str) -> None:
        self.send_response(303)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status: int, body: bytes, kind: str, *, replayed: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Request-Id", self.fake.store.new_id("req"))
        if replayed:
            self.send_header("Idempotent-Replayed", "true")
        if status in {429, 500, 503}:
            self.send_header("Stripe-Should-Retry", "true" if status == 429 else "false")
        self.end_headers()
        self.wfile.write(body)


def _pay_page(session: Json) -> str:
    title = html.escape(session["_title"])
    amount = f"{session['amount_total']} {html.escape(session['currency'].upper())} (smallest unit)"
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{title}</title><h1>{title}</h1><p>{amount}</p>"
        "<p>A stand-in for Stripe's hosted page. No money moves.</p>"
        "<form method=post><button name=method value=card>Pay by card</button> "
        "<button name=method value=sepa_debit>Pay by direct debit</button></form></html>"
    )
