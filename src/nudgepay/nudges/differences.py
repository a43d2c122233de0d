"""What would change: the engine's future as it is, against its future after an edit that nobody has saved yet.

A hold or a skip is no letter; only letters are compared. Both futures come from the one engine. Changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy.orm import Session

from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.closing_days import concerned_until
from nudgepay.nudges.facts import ClientFacts, InvoiceFacts, Schedule, Step
from nudgepay.nudges.line import stand_in_line
from nudgepay.nudges.preview import Span, clients_with_open_invoices, run_forward
from nudgepay.nudges.queries import load_clients
from nudgepay.nudges.timeline import UNPLANNABLE

Letters = tuple[tuple[str, datetime], ...]


@dataclass(frozen=True, slots=True)
class InvoiceChange:
    """What an edit does to one invoice: letters that it no longer gets, and new ones, as (step, at)."""

    invoice: str
    client: str
    gone: Letters
    new: Letters
    invoice_id: int
    client_id: int


@dataclass(frozen=True, slots=True)
class ScheduleDiff:
    """The effect of a schedule before it is saved. `followers`: open invoices that follow it.

    `is_complete` is False when not everybody who follows it was compared; `clients` is how many were.
    """

    name: str
    followers: int
    changes: tuple[InvoiceChange, ...]
    clients: int = 0
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class CalendarDiff:
    """The effect of closing or opening days. Every change before `until` (UTC) is in it; None: every change is."""

    changes: tuple[InvoiceChange, ...]
    clients: int
    until: datetime | None


def diff_schedule(
    session: Session,
    name: str,
    steps: tuple[Step, ...],
    *,
    version: int,
    span: Span,
    most_clients: int | None = None,
    most_invoices: int | None = None,
) -> ScheduleDiff:
    """What would change for every open invoice if `steps` became `version` of the schedule `name`.

    With limits, for the first clients that follow it only.
    """
    followers = clients = invoices = 0
    changes: list[InvoiceChange] = []
    for client in clients_with_open_invoices(session, span, follows=name):
        too_many = most_invoices is not None and invoices + len(client.invoices) > most_invoices
        if clients and (clients == most_clients or too_many):
            return ScheduleDiff(name, followers, tuple(changes), clients, is_complete=False)
        clients += 1
        invoices += len(client.invoices)
        followers += sum(invoice.follows == name and invoice.status == "open" for invoice in client.invoices)
        changes += compare(client, _under(client, Schedule(name, version, steps)), span, span)
    return ScheduleDiff(name, followers, tuple(changes), clients)


def diff_calendar(
    session: Session, span: Span, *, closed: frozenset[date], clients: int, invoices: int
) -> CalendarDiff:
    """What would change if exactly the days `closed` were closed, for the clients whose turn comes first.

    Whose turn comes after the first day of sending beyond the days that differ is not concerned.
    """
    after = replace(span, calendar=replace(span.calendar, closed=closed))
    differing = closed ^ span.calendar.closed
    if not differing:
        return CalendarDiff((), 0, None)
    both = WorkCalendar(closed=closed | span.calendar.closed)
    end = min(span.end, concerned_until(session, differing, both))
    line = stand_in_line(session, end=end, clients=clients, invoices=invoices)
    found = load_clients(session, line.client_ids, now=span.start)
    changes = [
        one for client_id in line.client_ids for one in compare(found[client_id], found[client_id], span, after)
    ]
    return CalendarDiff(tuple(changes), len(line.client_ids), line.until)


def diff_hold(
    session: Session, client_id: int, change: Callable[[ClientFacts], ClientFacts], *, span: Span
) -> tuple[InvoiceChange, ...]:
    """What would change for one client if its facts were as `change` makes them: `with_pause` and its kin."""
    client = load_clients(session, [client_id], now=span.start)[client_id]
    return tuple(compare(client, change(client), span, span))


def with_pause(client: ClientFacts, *, until: date | None, invoice_id: int | None = None) -> ClientFacts:
    """The client, or one invoice of it, silent through `until`; None: not paused. `date.max`: until unpaused."""
    if invoice_id is None:
        return replace(client, paused_until=until)
    return _with_invoice(client, invoice_id, lambda invoice: replace(invoice, paused_until=until))


def with_reminders(client: ClientFacts, *, on: bool, invoice_id: int | None = None) -> ClientFacts:
    """The client, or one invoice of it, with reminders switched on or off."""
    if invoice_id is None:
        return replace(client, reminders_off=not on)
    return _with_invoice(client, invoice_id, lambda invoice: replace(invoice, reminders_off=not on))


def with_dispute(client: ClientFacts, *, contested: int, invoice_id: int) -> ClientFacts:
    """The client with so much (minor units) of one of its invoices contested."""
    return _with_invoice(client, invoice_id, lambda invoice: replace(invoice, disputed=contested))


def compare(before: ClientFacts, after: ClientFacts, then: Span, instead: Span) -> Iterator[InvoiceChange]:
    """The letters that differ between one client's two futures, invoice by invoice."""
    old, new = _letters_by_invoice(before, then), _letters_by_invoice(after, instead)
    for invoice in before.invoices:
        was, will_be = old.get(invoice.id, ()), new.get(invoice.id, ())
        gone = tuple(letter for letter in was if letter not in will_be)
        added = tuple(letter for letter in will_be if letter not in was)
        if gone or added:
            yield InvoiceChange(invoice.number, before.name, gone, added, invoice.id, before.id)


def count_letters(changes: Iterable[InvoiceChange]) -> tuple[int, int]:
    """How many go, how many come, counted by invoice and step."""
    found = list(changes)
    return sum(len(one.gone) for one in found), sum(len(one.new) for one in found)


def _under(client: ClientFacts, schedule: Schedule) -> ClientFacts:
    return replace(
        client,
        invoices=tuple(
            replace(invoice, schedule=schedule) if invoice.follows == schedule.name else invoice
            for invoice in client.invoices
        ),
    )


def _with_invoice(
    client: ClientFacts, invoice_id: int, change: Callable[[InvoiceFacts], InvoiceFacts]
) -> ClientFacts:
    return replace(client, invoices=tuple(change(one) if one.id == invoice_id else one for one in client.invoices))


def _letters_by_invoice(client: ClientFacts, span: Span) -> dict[int, Letters]:
    """What cannot be planned gets no letter: such a client changes nothing and hides nobody."""
    found: dict[int, Letters] = {}
    try:
        decisions = run_forward(client, span)
    except UNPLANNABLE:
        return found
    for decision in decisions:
        if decision.action == "send":
            found[decision.invoice_id] = (*found.get(decision.invoice_id, ()), (decision.step, decision.at))
    return found
