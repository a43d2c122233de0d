"""What will go out and what will not, for everybody, from the rows as they are. Changes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.config import Settings
from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.closing_days import calendar_now
from nudgepay.nudges.facts import ClientFacts, Decision, InvoiceFacts, Rules
from nudgepay.nudges.holds import choose_recipient
from nudgepay.nudges.queries import load_calendar, load_clients, load_rules
from nudgepay.nudges.simulate import simulate
from nudgepay.nudges.timeline import UNPLANNABLE

BATCH = 200
"""Clients read at a time, so that the memory of a preview does not grow with the books."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a preview looks ahead with: rules, calendar, from `start` to `end` (UTC)."""

    rules: Rules
    calendar: WorkCalendar
    start: datetime
    end: datetime


def span_ahead(session: Session, settings: Settings, *, now: datetime, days: int, if_resumed: bool = False) -> Span:
    """So many days from `now`, with the rules and the calendar as they stand; `if_resumed`: were nothing paused."""
    rules = load_rules(session, settings)
    if if_resumed:
        rules = replace(rules, sending_paused=False)
    calendar = calendar_now(session, load_calendar(settings))
    return Span(rules, calendar, now, now + timedelta(days=days))


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One line of the plan; `at` as in Decision, `amount` in minor units of `currency`.

    `follows`: the schedule in force for the invoice. `timezone`: that of the person who would be written to.
    """

    invoice: str
    client_id: int
    client: str
    currency: str
    decision: Decision
    follows: str
    timezone: str


def foresee(session: Session, span: Span, *, client_id: int | None = None) -> Iterator[Foreseen]:
    """Every send, hold and skip of the span, client by client, each client's in order of time."""
    for client in clients_with_open_invoices(session, span, client_id=client_id):
        yield from foresee_client(client, span)


def foresee_some(session: Session, span: Span, client_ids: Sequence[int]) -> Iterator[Foreseen]:
    """The same for these clients only, in the order given."""
    for start in range(0, len(client_ids), BATCH):
        ids = client_ids[start : start + BATCH]
        clients = load_clients(session, ids, now=span.start)
        for client_id in ids:
            yield from foresee_client(clients[client_id], span)


def foresee_client(client: ClientFacts, span: Span) -> Iterator[Foreseen]:
    """One client's future, in order of time."""
    invoices = {invoice.id: invoice for invoice in client.invoices}
    reader, _ = choose_recipient(client)
    zone_name = reader.timezone if reader else client.timezone
    try:
        decisions = run_forward(client, span)
    except UNPLANNABLE:
        decisions = [_cannot_tell(invoice, span) for invoice in client.invoices]
    for decision in decisions:
        invoice = invoices[decision.invoice_id]
        follows = invoice.schedule.name
        yield Foreseen(
            invoice.number, client.id, client.name, invoice.currency, decision, follows=follows, timezone=zone_name
        )


def _cannot_tell(invoice: InvoiceFacts, span: Span) -> Decision:
    """One client's impossible dates or zone must not hide everybody else's plan."""
    schedule = invoice.schedule
    return Decision(invoice.id, schedule.steps[0].code, schedule.version, "hold", span.start, "template_error")


def run_forward(client: ClientFacts, span: Span) -> list[Decision]:
    """Every change of mind of the engine over the span."""
    return simulate(client, rules=span.rules, calendar=span.calendar, start=span.start, end=span.end)


_OPEN = """
SELECT DISTINCT i.client_id FROM invoices i JOIN clients c ON c.id = i.client_id
 WHERE i.status = 'open' AND i.client_id > :after
   AND (CAST(:client_id AS bigint) IS NULL OR i.client_id = :client_id)
   AND (CAST(:follows AS text) IS NULL OR coalesce(i.schedule_name, c.schedule_name, 'default') = :follows)
 ORDER BY i.client_id LIMIT :batch
"""


def clients_with_open_invoices(
    session: Session, span: Span, *, client_id: int | None = None, follows: str | None = None
) -> Iterator[ClientFacts]:
    """Everybody with an open invoice, or one client, or those of whom an open invoice follows a schedule."""
    after = 0
    while True:
        query = {"after": after, "client_id": client_id, "follows": follows, "batch": BATCH}
        ids = list(session.scalars(text(_OPEN), query))
        clients = load_clients(session, ids, now=span.start) if ids else {}
        yield from (clients[found] for found in ids)
        if len(ids) < BATCH:
            return
        after = ids[-1]
