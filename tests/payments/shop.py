"""A business whose invoices are at Stripe: billed there, imported, told by events and found by the sweep."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select, text

from nudgepay.db import Database
from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.gateways.fakes.stripe.deliveries import event_body
from nudgepay.gateways.stripe import StripeGateway
from nudgepay.invoices.importing.rows import Defaults
from nudgepay.invoices.models import Invoice
from nudgepay.payments.apply import drain
from nudgepay.payments.inbox import parse, store
from nudgepay.payments.models import StripeInvoice
from nudgepay.payments.rows import ImportReport
from nudgepay.payments.stripe_importing import import_invoices
from nudgepay.payments.sweep import SweepReport, run_sweep
from nudgepay.payments.terms import StripeTerms
from nudges.builders import at

NOW = at("2026-03-13T09:00")
TERMS = StripeTerms(livemode=False)
DEFAULTS = Defaults("en", "Europe/Berlin", "DE")
DUE = date(2026, 4, 1)


def seconds(day: date) -> int:
    """Noon of a day, as Stripe counts."""
    return int(datetime.combine(day, time(12), UTC).timestamp())


@dataclass
class Shop:
    """What the tests of Stripe's invoices hold on to."""

    db: Database
    fake: FakeStripe
    gateway: StripeGateway
    now: datetime = NOW
    ids: dict[str, str] = field(default_factory=dict)

    def bill(
        self,
        number: str = "S-1",
        amount: int = 10_000,
        *,
        due_on: date | None = DUE,
        email: str | None = None,
        **more: Any,
    ) -> str:
        """An open invoice of a customer of its own at Stripe; returns its id."""
        address = email or f"{number.lower()}@client.example"
        customer = self.fake.billing.customer(
            email=address, name=f"Client {number}", preferred_locales=["de-AT"], address={"country": "AT"}
        )
        due = {"due_date": seconds(due_on)} if due_on else {}
        made = self.fake.billing.bill(customer, number, amount, **{**due, **more})
        self.ids[number] = made["id"]
        return str(made["id"])

    def bring(self, **changes: Any) -> ImportReport:
        """Import, as the command does."""
        given = {"terms": TERMS, "defaults": DEFAULTS, "now": self.now, "actor": "test"} | changes
        report = import_invoices(self.db, self.gateway, **given)
        self.forget_events()
        return report

    def imported(self, number: str = "S-1", amount: int = 10_000, **more: Any) -> str:
        """Billed and brought here."""
        stripe_id = self.bill(number, amount, **more)
        assert not self.bring().errors
        return stripe_id

    def forget_events(self) -> None:
        """No webhook came, and Stripe's list is empty: only the objects themselves can tell."""
        self.fake.deliveries.waiting.clear()
        self.fake.store.events.clear()

    def receive(self, *events: dict[str, Any]) -> None:
        """Events arrive in this order and are applied one by one."""
        for event in events:
            with self.db.transaction() as session:
                store(session, parse(event_body(event)))
            self.drain()

    def receive_all(self) -> None:
        events, self.fake.deliveries.waiting = self.fake.deliveries.waiting, []
        self.receive(*events)

    def drain(self) -> dict[str, int]:
        return dict(drain(self.db, self.gateway, terms=TERMS, now=self.now))

    def sweep(self, **changes: Any) -> SweepReport:
        given = {"terms": TERMS, "now": self.now + timedelta(minutes=10), "since": self.now} | changes
        return run_sweep(self.db, self.gateway, **given)

    def invoice(self, number: str = "S-1") -> Invoice:
        with self.db.transaction() as session:
            return session.scalars(select(Invoice).where(Invoice.number == number)).one()

    def state(self, number: str = "S-1") -> tuple[str, str, int]:
        invoice = self.invoice(number)
        return invoice.status, invoice.money_state, invoice.amount_remaining

    def row(self, number: str = "S-1") -> StripeInvoice:
        with self.db.transaction() as session:
            return session.scalars(select(StripeInvoice).where(StripeInvoice.stripe_id == self.ids[number])).one()

    def there(self, number: str = "S-1") -> dict[str, Any]:
        """The invoice as it stands at Stripe."""
        return self.fake.store.get("invoice", self.ids[number])

    def notices(self, kind: str) -> list[dict[str, Any]]:
        with self.db.transaction() as session:
            query = "SELECT details FROM notices WHERE kind = :kind AND resolved_at IS NULL ORDER BY id"
            return list(session.scalars(text(query), {"kind": kind}))

    def facts(self) -> list[tuple[Any, ...]]:
        with self.db.transaction() as session:
            query = "SELECT provider_id, kind, amount, problem, voided_at IS NOT NULL FROM money_facts ORDER BY 1, 2"
            return [tuple(row) for row in session.execute(text(query))]
