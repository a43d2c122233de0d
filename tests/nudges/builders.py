"""Facts for the engine's tests: one client, one overdue invoice, and what differs."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.facts import ClientFacts, ContactFacts, InvoiceFacts, ReminderFacts, Rules, Schedule, Step

CALENDAR = WorkCalendar()
RULES = Rules()
STEPS = (
    Step("T-3", "due_on", -3, False, "before_due", "friendly"),
    Step("DUE", "due_on", 0, False, "due", "friendly"),
    Step("+3", "due_on", 3, False, "overdue", "firm"),
    Step("+7", "due_on", 7, False, "final", "final"),
)
SCHEDULE = Schedule("default", 1, STEPS)
DUE_ON = date(2026, 3, 10)  # a Tuesday


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def contact(**changes: Any) -> ContactFacts:
    made = ContactFacts(1, "Ada", "ada@client.example", "billing", "de", "Europe/Berlin")
    return replace(made, **changes)


def invoice(**changes: Any) -> InvoiceFacts:
    made = InvoiceFacts(
        id=1,
        number="A-1",
        currency="EUR",
        amount_due=10_000,
        amount_paid=0,
        status="open",
        money_state="unpaid",
        issued_on=date(2026, 2, 10),
        due_on=DUE_ON,
        schedule=SCHEDULE,
    )
    return replace(made, **changes)


def client(*invoices: InvoiceFacts, **changes: Any) -> ClientFacts:
    made = ClientFacts(1, "Client", "de", "Europe/Berlin", "DE", (contact(),), invoices or (invoice(),))
    return replace(made, **changes)


def row(step: str, state: str, *, id: int = 1, version: int = 1, **changes: Any) -> ReminderFacts:
    return replace(ReminderFacts(id, step, version, state, at("2026-03-01T00:00")), **changes)
