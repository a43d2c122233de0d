"""An installation as an operator and a payer know it: over HTTP alone, with a stand-in for Stripe on loopback."""

import datetime as dt
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import SecretStr
from starlette.testclient import TestClient

from nudgepay import clock
from nudgepay.access import passwords
from nudgepay.access.operators import add_operator
from nudgepay.access.permissions import Role
from nudgepay.config import Settings
from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.gateways.fakes.stripe.deliveries import event_body, signature
from nudgepay.invoices.actions import create_client, create_invoice
from nudgepay.nudges.calendars import next_working_day
from nudgepay.nudges.passes import run_pass
from nudgepay.nudges.terms import terms_of
from nudgepay.payments.apply import drain
from nudgepay.payments.terms import stripe_terms
from nudgepay.runtime import Runtime, build_runtime
from nudgepay.web.app import create_app

EMAIL, PASSWORD, SECRET = "olga@atelier.example", "a long enough password", "whsec_" + "j" * 32
BROWSER = {"accept": "text/html"}


@dataclass
class Installation:
    """One overdue invoice, an operator signed in by the form, Stripe beside it."""

    runtime: Runtime
    http: TestClient
    stripe: FakeStripe
    invoice_id: int
    token: str
    csrf_token: str = ""

    @property
    def path(self) -> str:
        return f"/invoices/{self.invoice_id}"

    def sign_in(self) -> None:
        form = re.search(r'name="_csrf_token" value="(\w+)"', self.http.get("/login").text)
        assert form is not None
        answer = self.http.post("/login", data={"_csrf_token": form[1], "email": EMAIL, "password": PASSWORD})
        assert answer.status_code == 303
        page = self.http.get(self.path, headers=BROWSER)
        assert page.status_code == 200
        self.csrf_token = re.search(r'name="_csrf_token" value="(\w+)"', page.text)[1]  # type: ignore[index]

    def pass_at(self, at: datetime) -> int:
        """What a worker does: plan and send. Returns the letters that left."""
        settings = self.runtime.settings
        report = run_pass(
            self.runtime.db,
            transport=self.runtime.mail,
            receipts=self.runtime.receipts,
            terms=terms_of(settings),
            environment=settings.environment,
            now=at,
            actor="test",
        )
        return int(report.as_document()["accepted"])

    def pay_as_the_payer(self) -> None:
        """From the mailed link over Stripe's page to the signed events, told to the hook; then the worker books them."""
        to_stripe = self.http.post(f"/p/{self.token}/pay", headers=BROWSER)
        assert to_stripe.status_code == 303
        assert to_stripe.headers["location"].startswith(self.stripe.url)
        self.stripe.pay(to_stripe.headers["location"].rsplit("/", 1)[1])
        told, self.stripe.deliveries.waiting = self.stripe.deliveries.waiting, []
        for event in [*told, *told]:
            raw = event_body(event)
            header = {"Stripe-Signature": signature(raw, SECRET, int(time.time()))}
            assert self.http.post("/webhooks/stripe", content=raw, headers=header).status_code == 200
        drain(self.runtime.db, self.runtime.stripe, terms=stripe_terms(self.runtime.settings), now=clock.now())


def working_hour(days: int) -> datetime:
    """Ten o'clock UTC on the client's first working day at least `days` ahead."""
    ahead = (clock.now() + timedelta(days=days)).date()
    return datetime.combine(next_working_day(ahead, "GB"), dt.time(10), UTC)


@contextmanager
def installed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    monkeypatch.setattr(passwords, "HASHER", Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1))
    with FakeStripe() as stripe:
        given = settings.model_copy(
            update={
                "stripe_secret_key": SecretStr(stripe.api_key),
                "stripe_webhook_secret": SecretStr(SECRET),
                "stripe_api_base": stripe.url,
                "base_url": "http://testserver",
            }
        )
        runtime, now = build_runtime(given), clock.now()
        with runtime.db.transaction() as session:
            add_operator(session, email=EMAIL, password=PASSWORD, role=Role.OPERATOR, actor="test")
            client = create_client(
                session,
                name="Lindner",
                email="klara@lindner.example",
                locale="en",
                timezone="Europe/London",
                country="GB",
                actor="test",
            )
            invoice = create_invoice(
                session,
                client_id=client.id,
                number="2026-1",
                currency="EUR",
                amount_due=48_000,
                issued_on=now.date() - timedelta(days=30),
                due_on=now.date() - timedelta(days=4),
                now=now,
                actor="test",
            )
            invoice_id, token = invoice.id, invoice.token
        with TestClient(create_app(runtime), follow_redirects=False) as http:
            yield Installation(runtime, http, stripe, invoice_id, token)
        runtime.close()
