"""What will go out and what will not, for everybody, from the rows as they are. Changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.facts import ClientFacts, Decision, InvoiceFacts, Rules, Schedule, Step
from nudgepay.nudges.queries import load_clients
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


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One line of the plan; `at` as in Decision, `amount` in minor units of `currency`."""

    invoice: str
    client_id: int
    client: str
    currency: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class InvoiceChange:
    """What a new schedule does to one invoice: letters that it no longer gets, and new ones, as (step, at)."""

    invoice: str
    client: str
    gone: tuple[tuple[str, datetime], ...]
    new: tuple[tuple[str, datetime], ...]


@dataclass(frozen=True, slots=True)
class ScheduleDiff:
    """The effect of a schedule before it is saved. `followers`: open invoices that follow it."""

    name: str
    followers: int
    changes: tuple[InvoiceChange, ...]


def foresee(session: Session, span: Span, *, client_id: int | None = None) -> Iterator[Foreseen]:
    """Every send, hold and skip of the span, client by client, each client's in order of time."""
    for client in _clients_with_open_invoices(session, span, client_id=client_id):
        invoices = {invoice.id: invoice for invoice in client.invoices}
        try:
            decisions = _run_forward(client, span)
        except UNPLANNABLE:
            decisions = [_cannot_tell(invoice, span) for invoice in client.invoices]
        for decision in decisions:
            invoice = invoices[decision.invoice_id]
            yield Foreseen(invoice.number, client.id, client.name, invoice.currency, decision)


def _cannot_tell(invoice: InvoiceFacts, span: Span) -> Decision:
    """One client's impossible dates or zone must not hide everybody else's plan."""
    schedule = invoice.schedule
    return Decision(invoice.id, schedule.steps[0].code, schedule.version, "hold", span.start, "template_error")


def diff_schedule(session: Session, name: str, steps: tuple[Step, ...], *, version: int, span: Span) -> ScheduleDiff:
    """What would change for every open invoice if `steps` became `version` of the schedule `name`.

    Both futures come from the one engine. A hold or skip is no letter; only letters are compared.
    """
    followers = 0
    changes = []
    for client in _clients_with_open_invoices(session, span, follows=name):
        following = [invoice for invoice in client.invoices if invoice.follows == name and invoice.status == "open"]
        followers += len(following)
        before = _letters_by_invoice(client, span)
        after = _letters_by_invoice(_under(client, Schedule(name, version, steps)), span)
        for invoice in client.invoices:
            old, new = before.get(invoice.id, ()), after.get(invoice.id, ())
            gone = tuple(letter for letter in old if letter not in new)
            added = tuple(letter for letter in new if letter not in old)
            if gone or added:
                changes.append(InvoiceChange(invoice.number, client.name, gone, added))
    return ScheduleDiff(name, followers, tuple(changes))


def _under(client: ClientFacts, schedule: Schedule) -> ClientFacts:
    return replace(
        client,
        invoices=tuple(
            replace(invoice, schedule=schedule) if invoice.follows == schedule.name else invoice
            for invoice in client.invoices
        ),
    )


def _letters_by_invoice(client: ClientFacts, span: Span) -> dict[int, tuple[tuple[str, datetime], ...]]:
    found: dict[int, tuple[tuple[str, datetime], ...]] = {}
    for decision in _run_forward(client, span):
        if decision.action == "send":
            found[decision.invoice_id] = (*found.get(decision.invoice_id, ()), (decision.step, decision.at))
    return found


def _run_forward(client: ClientFacts, span: Span) -> list[Decision]:
    return simulate(client, rules=span.rules, calendar=span.calendar, start=span.start, end=span.end)


_OPEN = """
SELECT DISTINCT i.client_id FROM invoices i JOIN clients c ON c.id = i.client_id
 WHERE i.status = 'open' AND i.client_id > :after
   AND (CAST(:client_id AS bigint) IS NULL OR i.client_id = :client_id)
   AND (CAST(:follows AS text) IS NULL OR coalesce(i.schedule_name, c.schedule_name, 'default') = :follows)
 ORDER BY i.client_id LIMIT :batch
"""


def _clients_with_open_invoices(
    session: Session, span: Span, *, client_id: int | None = None, follows: str | None = None
) -> Iterator[ClientFacts]:
    after = 0
    while True:
        query = {"after": after, "client_id": client_id, "follows": follows, "batch": BATCH}
        ids = list(session.scalars(text(_OPEN), query))
        clients = load_clients(session, ids, now=span.start) if ids else {}
        yield from (clients[found] for found in ids)
        if len(ids) < BATCH:
            return
        after = ids[-1]
