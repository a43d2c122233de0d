"""A client with two invoices, a Stripe that is a real server, and a gateway to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from nudgepay.db import Database
from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.gateways.stripe import StripeGateway
from nudgepay.invoices.actions import create_client, create_invoice
from nudgepay.invoices.models import Invoice
from nudgepay.payments.apply import drain
from nudgepay.payments.inbox import parse, store
from nudgepay.payments.pay_link import PayPage, open_checkout
from nudgepay.payments.terms import StripeTerms
from nudges.builders import at
from payments.shop import Shop

NOW = at("2026-03-13T09:00")
TERMS = StripeTerms(livemode=False)


@dataclass
class Books:
    """What the tests of money hold on to."""

    db: Database
    fake: FakeStripe
    gateway: StripeGateway
    client_id: int
    invoice_ids: tuple[int, ...]

    def page(self, *ids: int, currency: str = "EUR") -> PayPage:
        chosen = ids or self.invoice_ids[:1]
        key = f"invoice:{chosen[0]}" if len(chosen) == 1 else "letter:test"
        return PayPage(key, self.client_id, chosen, currency, "de", "Invoice A-1")

    def click(self, *ids: int, amount: int | None = None) -> str:
        """A payer's click; returns the session's id at Stripe."""
        url = open_checkout(
            self.db,
            self.gateway,
            page=self.page(*ids),
            amount=amount,
            success_url="https://pay.example/p/t?paid=1",
            cancel_url="https://pay.example/p/t",
            now=NOW,
        )
        return url.rsplit("/", 1)[1]

    def receive(self, *events: dict[str, Any]) -> None:
        """Events arrive in this order and are applied one by one."""
        from nudgepay.gateways.fakes.stripe.deliveries import event_body

        for event in events:
            with self.db.transaction() as session:
                store(session, parse(event_body(event)))
            self.drain()

    def receive_all(self) -> None:
        events, self.fake.deliveries.waiting = self.fake.deliveries.waiting, []
        self.receive(*events)

    def drain(self) -> dict[str, int]:
        return dict(drain(self.db, self.gateway, terms=TERMS, now=NOW))

    def invoice(self, index: int = 0) -> Invoice:
        with self.db.transaction() as session:
            return session.get_one(Invoice, self.invoice_ids[index])


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe() as server:
        yield server


@pytest.fixture
def books(db: Database, fake: FakeStripe) -> Books:
    with db.transaction() as session:
        client = create_client(
            session,
            name="Client",
            email="a@client.example",
            locale="de",
            timezone="Europe/Berlin",
            country="DE",
            actor="t",
        )
        ids = tuple(
            create_invoice(
                session,
                client_id=client.id,
                number=f"A-{number}",
                currency="EUR",
                amount_due=10_000,
                issued_on=date(2026, 2, 1),
                due_on=date(2026, 3, number),
                now=NOW,
                actor="t",
            ).id
            for number in (1, 2)
        )
    gateway = StripeGateway(api_key=lambda: fake.api_key, base_url=fake.url, timeout=5, calls_per_second=5_000)
    return Books(db, fake, gateway, client.id, ids)


@pytest.fixture
def shop(db: Database, fake: FakeStripe) -> Shop:
    """A business whose invoices are at Stripe."""
    gateway = StripeGateway(api_key=lambda: fake.api_key, base_url=fake.url, timeout=5, calls_per_second=5_000)
    return Shop(db, fake, gateway)
