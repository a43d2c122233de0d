"""The engine: facts of one client, rules, a calendar and an instant in; every decision out. Pure.

The job, the last look, the preview and the tests all ask this one function. A step is due when its instant
has come, never only on its day. Of several due steps the latest fits and the older ones are superseded. A
step that has left counts in every later version of the schedule. After the last step there is silence.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.facts import (
    MANUAL,
    Action,
    ClientFacts,
    ContactFacts,
    Decision,
    InvoiceFacts,
    LetterPlan,
    Plan,
    ReminderFacts,
    Rules,
)
from nudgepay.nudges.holds import Hold, Situation, choose_recipient, first_hold, gap_after
from nudgepay.nudges.reasons import REVERSIBLE, FinalReason, HeldReason
from nudgepay.nudges.sequence import Sequence, sequence, why_passed, why_settled
from nudgepay.nudges.timeline import DueStep, timeline

OPEN_STATES = frozenset({"planned", "claimed"})


def plan(client: ClientFacts, *, rules: Rules, calendar: WorkCalendar, now: datetime) -> Plan:
    """Decide every due step of one client at `now` (UTC)."""
    recipient, unreachable = choose_recipient(client)
    due: list[Decision] = []
    next_at: dict[int, datetime | None] = {}
    for invoice in sorted(client.invoices, key=lambda item: (item.due_on, item.id)):
        case = Situation(client, invoice, recipient, unreachable, rules, calendar, now)
        place = sequence(invoice, timeline_of(client, invoice, calendar), now)
        decisions = list(_decide(case, place))
        due += decisions
        next_at[invoice.id] = _next_look(invoice, place, decisions, now)
    return Plan(tuple(due), tuple(_letters(client, due, recipient)), next_at)


def timeline_of(client: ClientFacts, invoice: InvoiceFacts, calendar: WorkCalendar) -> tuple[DueStep, ...]:
    """The invoice's steps with their due instants, in order."""
    return timeline(
        invoice.schedule,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        country=client.country,
        zone_name=client.timezone,
        calendar=calendar,
    )


def _decide(case: Situation, place: Sequence) -> Iterator[Decision]:
    """One decision for every open reminder and for every due step that has no row yet.

    A letter says one thing about an invoice: what a person orders goes, its due step waits for the contact gap.
    """
    nudges = list(_manual(case))
    yield from nudges
    goes_by_hand = any(decision.action == "send" for decision in nudges)
    for occurrence in _occurrences(case, place):
        decision = _scheduled(case, occurrence, place)
        if goes_by_hand and decision.action == "send":
            decision = _decision(occurrence, "hold", hold=gap_after(case, case.now))
        yield decision


@dataclass(frozen=True, slots=True)
class _Occurrence:
    """A reminder that is open, or would be if the planner had seen it, and the instant it is due."""

    invoice_id: int
    row: ReminderFacts
    due_at: datetime


def _manual(case: Situation) -> Iterator[Decision]:
    """Nudges that a person ordered. Ordered twice before one went, one letter answers both."""
    settled = why_settled(case.invoice)
    waiting = (row for row in case.invoice.reminders if row.step == MANUAL and row.state in OPEN_STATES)
    for turn, row in enumerate(sorted(waiting, key=lambda item: (not item.gap_overridden, item.id or 0))):
        occurrence = _Occurrence(case.invoice.id, row, row.due_at)
        reason: FinalReason | None = settled or ("superseded" if turn else None)
        if reason is not None:
            yield _decision(occurrence, "skip", final=reason)
        else:
            yield _settle(replace(case, gap_overridden=row.gap_overridden), occurrence)


def _occurrences(case: Situation, place: Sequence) -> Iterator[_Occurrence]:
    """Rows that wait, rows whose end no longer holds, and due steps of the version in force without a row."""
    invoice, version = case.invoice, case.invoice.schedule.version
    due_at = {item.step.code: item.due_at for item in place.steps}
    rows = [row for row in invoice.reminders if row.nudge_key is None]
    for row in rows:
        moved = due_at.get(row.step, row.due_at) if row.schedule_version == version else row.due_at
        occurrence = _Occurrence(invoice.id, row, moved)
        if row.state in OPEN_STATES or _has_its_turn_back(invoice, occurrence, place):
            yield occurrence
    if invoice.status != "open":
        return
    known = {row.step for row in rows if row.schedule_version == version} | place.left
    for item in place.steps:
        if item.due_at <= case.now and item.step.code not in known:
            row = ReminderFacts(None, item.step.code, version, "planned", item.due_at)
            yield _Occurrence(invoice.id, row, item.due_at)


def _has_its_turn_back(invoice: InvoiceFacts, occurrence: _Occurrence, place: Sequence) -> bool:
    """A skipped step returns when its invoice is open again, or when its day has moved, if it may still go."""
    row = occurrence.row
    if row.state != "skipped" or row.schedule_version != place.version:
        return False
    returned = row.reason in REVERSIBLE or occurrence.due_at != row.due_at
    return returned and why_settled(invoice) is None and why_passed(row, place) is None


def _scheduled(case: Situation, occurrence: _Occurrence, place: Sequence) -> Decision:
    final = why_settled(case.invoice) or why_passed(occurrence.row, place)
    if final is not None:
        return _decision(occurrence, "skip", final=final)
    if occurrence.due_at > case.now:
        return _decision(occurrence, "hold", hold=Hold("outside_window", occurrence.due_at))
    step = next(item.step for item in place.steps if item.step.code == occurrence.row.step)
    return _settle(replace(case, step=step, reviewed=occurrence.row.reviewed), occurrence)


def _settle(case: Situation, occurrence: _Occurrence) -> Decision:
    """Send it, or hold it for the first reason that applies."""
    hold = first_hold(case)
    if hold is not None:
        return _decision(occurrence, "hold", hold=hold)
    return replace(
        _decision(occurrence, "send"),
        at=case.now,
        amount=case.invoice.claimable,
        template=case.step.template if case.step else MANUAL,
        tone=case.step.tone if case.step else "friendly",
    )


def _decision(
    occurrence: _Occurrence, action: Action, *, final: FinalReason | None = None, hold: Hold | None = None
) -> Decision:
    reason: FinalReason | HeldReason | None = hold.reason if hold is not None else final
    return Decision(
        invoice_id=occurrence.invoice_id,
        step=occurrence.row.step,
        schedule_version=occurrence.row.schedule_version,
        action=action,
        at=occurrence.due_at,
        reason=reason,
        until=hold.until if hold is not None else None,
        reminder_id=occurrence.row.id,
    )


def _letters(client: ClientFacts, due: Iterable[Decision], recipient: ContactFacts | None) -> Iterator[LetterPlan]:
    """One letter per currency, its invoices oldest first (the order in which they were decided)."""
    if recipient is None:
        return
    currency = {invoice.id: invoice.currency for invoice in client.invoices}
    going = [decision for decision in due if decision.action == "send"]
    for code in dict.fromkeys(currency[decision.invoice_id] for decision in going):
        lines = tuple(decision for decision in going if currency[decision.invoice_id] == code)
        yield LetterPlan(recipient.id, code, lines)


def _next_look(
    invoice: InvoiceFacts, place: Sequence, decisions: Iterable[Decision], now: datetime
) -> datetime | None:
    """The next instant at which something may change without a new fact."""
    if invoice.status != "open":
        return None
    coming = [item.due_at for item in place.steps[place.reached + 1 :] if item.due_at > now]
    ends = [decision.until for decision in decisions if decision.until is not None]
    return min(coming + ends, default=None)
