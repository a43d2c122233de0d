"""Real rows for the sender's tests: clients, invoices, a planned pass."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.gateways.mail import Envelope, Receipt
from nudgepay.gateways.outbox import Outbox
from nudgepay.invoices.actions import create_client, create_invoice
from nudgepay.invoices.queries import invoice_by_number
from nudgepay.nudges.manual import request_nudge
from nudgepay.nudges.planning import run_planning
from nudgepay.nudges.sending import run_sending
from nudgepay.nudges.terms import terms_of
from nudgepay.payments.actions import record_payment

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""Ten in the morning in Berlin, a working day."""


def make_client(db: Database, name: str = "ada", **changes: Any) -> int:
    fields: dict[str, Any] = {"locale": "en", "timezone": "Europe/Berlin", "country": "DE"} | changes
    with db.transaction() as session:
        return create_client(
            session, name=name.title(), email=f"{name}@client.example", actor="test", external_id=name, **fields
        ).id


def make_invoice(
    db: Database,
    client_id: int,
    number: str,
    *,
    due_on: date | None = None,
    amount: int = 10_000,
    currency: str = "EUR",
    now: datetime = MONDAY,
) -> int:
    due = due_on or MONDAY.date()
    with db.transaction() as session:
        return create_invoice(
            session,
            client_id=client_id,
            number=number,
            currency=currency,
            amount_due=amount,
            issued_on=due - timedelta(days=20),
            due_on=due,
            now=now,
            actor="test",
        ).id


def due_clients(db: Database, count: int, *, now: datetime = MONDAY, first: int = 0) -> list[int]:
    """Clients with one invoice due on Monday each, planned."""
    ids = [make_client(db, f"client{index}") for index in range(first, first + count)]
    for index, client_id in enumerate(ids, start=first):
        make_invoice(db, client_id, f"A-{index}")
    plan_all(db, now=now)
    return ids


def plan_all(db: Database, *, now: datetime = MONDAY) -> int:
    settings = Settings.load({"ENVIRONMENT": "test"})
    return run_planning(db, now=now, calendar=terms_of(settings).calendar).planned


def outbox_of(settings: Settings) -> Outbox:
    return Outbox(settings.nudgepay_home / "outbox")


def letters_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*.eml"))


def states(db: Database, table: str = "reminders") -> dict[str, int]:
    with db.transaction() as session:
        rows = session.execute(text(f"SELECT state, count(*) FROM {table} GROUP BY state"))
        return {row[0]: row[1] for row in rows}


def rows(db: Database, query: str, **values: Any) -> list[Any]:
    with db.transaction() as session:
        return list(session.execute(text(query), values))


def value(db: Database, query: str, **values: Any) -> Any:
    with db.transaction() as session:
        return session.scalar(text(query), values)


class Answering:
    """A transport of the test's own: one answer for each letter, then the outbox."""

    concurrency = 1

    def __init__(self, outbox: Outbox, *answers: Exception) -> None:
        self.outbox = outbox
        self.answers = list(answers)
        self.tried: list[str] = []

    def deliver(self, envelope: Envelope, *, may_begin: Callable[[], bool]) -> Receipt:
        self.tried.append(envelope.message_id)
        if self.answers:
            raise self.answers.pop(0)
        return self.outbox.deliver(envelope, may_begin=may_begin)

    def close(self) -> None:
        """Nothing is open."""


def send(db: Database, settings: Settings, **changes: Any) -> Any:
    given: dict[str, Any] = {"transport": outbox_of(settings), "terms": terms_of(settings), "now": MONDAY} | changes
    return run_sending(db, **given)


def nudge(db: Database, number: str, *, key: str, override_gap: bool = False, now: Any = MONDAY) -> int:
    with db.transaction() as session:
        invoice = invoice_by_number(session, number)
        return request_nudge(session, invoice, key=key, override_gap=override_gap, now=now, actor="test").id


def pay(db: Database, client_id: int, amount: int = 10_000) -> None:
    with db.transaction() as session:
        invoice_id = session.scalar(text("SELECT id FROM invoices WHERE client_id = :id"), {"id": client_id})
        record_payment(
            session,
            client_id=client_id,
            amount=amount,
            currency="EUR",
            provider="manual",
            provider_id=f"cash-{client_id}",
            kind="manual",
            occurred_at=MONDAY,
            targets=[{"invoice_id": int(invoice_id), "amount": amount}],
            actor="test",
            now=MONDAY,
        )
