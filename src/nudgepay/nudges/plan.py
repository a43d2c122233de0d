"""The engine: facts of one client, rules, a calendar and an instant in; every decision out. Pure.

The job, the last look, the preview and the tests all ask this one function. A step is due when its instant
has come, never only on its day. Of several due steps the latest fits and the older ones are superseded. A
step that has left counts in every later version of the schedule. After the last step there is silence.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.facts import (
    LEFT_STATES,
    MANUAL,
    ClientFacts,
    ContactFacts,
    Decision,
    InvoiceFacts,
    LetterPlan,
    Plan,
    ReminderFacts,
    Rules,
)
from nudgepay.nudges.holds import Hold, Situation, choose_recipient, first_hold, timing_hold
from nudgepay.nudges.reasons import FinalReason
from nudgepay.nudges.timeline import DueStep, timeline

OPEN_STATES = frozenset({"planned", "claimed"})


def plan(client: ClientFacts, *, rules: Rules, calendar: WorkCalendar, now: datetime) -> Plan:
    """Decide every due step of one client at `now` (UTC)."""
    recipient, unreachable = choose_recipient(client)
    due: list[Decision] = []
    next_at: dict[int, datetime | None] = {}
    for invoice in sorted(client.invoices, key=lambda item: (item.due_on, item.id)):
        case = Situation(client, invoice, None, False, False, rules, calendar, now)
        steps = timeline_of(client, invoice, calendar)
        decisions = list(_decide(case, steps, recipient, unreachable))
        due += decisions
        next_at[invoice.id] = _next_look(invoice, steps, decisions, now)
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


def _decide(
    case: Situation, steps: tuple[DueStep, ...], recipient: ContactFacts | None, unreachable: Hold | None
) -> Iterator[Decision]:
    """One decision for every open reminder and for every due step that has no row yet."""
    for reminder in case.invoice.reminders:
        if reminder.step == MANUAL and reminder.state in OPEN_STATES:
            yield _settle(replace(case, gap_overridden=reminder.gap_overridden), reminder, recipient, unreachable)
    candidate = _candidate(case.invoice, steps, case.now)
    for reminder in _open_scheduled(case, steps):
        reason = _why_final(case.invoice, reminder, steps, candidate)
        if reason is not None:
            yield _decision(case.invoice, reminder, "skip", reason=reason)
            continue
        step = next(item.step for item in steps if item.step.code == reminder.step)
        reviewed = replace(case, step=step, reviewed=reminder.reviewed)
        yield _settle(reviewed, reminder, recipient, unreachable)


def _open_scheduled(case: Situation, steps: tuple[DueStep, ...]) -> Iterator[ReminderFacts]:
    """Rows that wait, and due steps of the version in force that have no row yet."""
    invoice = case.invoice
    version = invoice.schedule.version
    scheduled = [reminder for reminder in invoice.reminders if reminder.nudge_key is None]
    yield from (reminder for reminder in scheduled if reminder.state in OPEN_STATES)
    known = {(reminder.step, reminder.schedule_version) for reminder in scheduled}
    left = _left(invoice)
    if invoice.status != "open":
        return
    for item in steps:
        code = item.step.code
        if item.due_at <= case.now and (code, version) not in known and code not in left:
            yield ReminderFacts(None, code, version, "planned", item.due_at)


def _left(invoice: InvoiceFacts) -> set[str]:
    return {reminder.step for reminder in invoice.reminders if reminder.state in LEFT_STATES}


def _candidate(invoice: InvoiceFacts, steps: tuple[DueStep, ...], now: datetime) -> str | None:
    """The code of the one step that fits now: the latest due one, when it and all later ones are still to go."""
    left = _left(invoice)
    due = [item.step.code for item in steps if item.due_at <= now]
    if not due or due[-1] in left:
        return None
    codes = [item.step.code for item in steps]
    if any(code in left for code in codes[codes.index(due[-1]) :]):
        return None
    return due[-1]


def _why_final(
    invoice: InvoiceFacts, reminder: ReminderFacts, steps: tuple[DueStep, ...], candidate: str | None
) -> FinalReason | None:
    """Why this reminder can never go, or None while it still may."""
    closed: dict[str, FinalReason] = {"paid": "paid", "void": "voided", "uncollectible": "uncollectible"}
    if invoice.credited:
        return "credited"
    if invoice.status in closed:
        return closed[invoice.status]
    if invoice.remaining <= 0:
        return "paid"
    if reminder.nudge_key is not None:
        return None
    if reminder.step in _left(invoice):
        return "already_sent"
    codes = [item.step.code for item in steps]
    if codes and codes[-1] in _left(invoice):
        return "past_terminal_step"
    if reminder.schedule_version != invoice.schedule.version or reminder.step != candidate:
        return "superseded"
    return None


def _settle(
    case: Situation, reminder: ReminderFacts, recipient: ContactFacts | None, unreachable: Hold | None
) -> Decision:
    """Send it, hold it, or (a manual nudge of a closed invoice) skip it."""
    final = _why_final(case.invoice, reminder, (), None) if case.is_manual else None
    if final is not None:
        return _decision(case.invoice, reminder, "skip", reason=final)
    hold = first_hold(case) or unreachable
    if hold is None and recipient is not None:
        hold = timing_hold(case, recipient)
    if hold is not None:
        return _decision(case.invoice, reminder, "hold", reason=hold.reason, until=hold.until)
    return replace(
        _decision(case.invoice, reminder, "send"),
        at=case.now,
        amount=case.invoice.claimable,
        template=case.step.template if case.step else MANUAL,
        tone=case.step.tone if case.step else "friendly",
    )


def _decision(
    invoice: InvoiceFacts,
    reminder: ReminderFacts,
    action: str,
    *,
    reason: object = None,
    until: datetime | None = None,
) -> Decision:
    return Decision(
        invoice_id=invoice.id,
        step=reminder.step,
        schedule_version=reminder.schedule_version,
        action=action,  # type: ignore[arg-type]
        at=reminder.due_at,
        reason=reason,  # type: ignore[arg-type]
        until=until,
        reminder_id=reminder.id,
    )


def _letters(client: ClientFacts, due: list[Decision], recipient: ContactFacts | None) -> Iterator[LetterPlan]:
    """One letter per currency, its invoices oldest first (the order in which they were decided)."""
    if recipient is None:
        return
    currency = {invoice.id: invoice.currency for invoice in client.invoices}
    going = [decision for decision in due if decision.action == "send"]
    for code in dict.fromkeys(currency[decision.invoice_id] for decision in going):
        lines = tuple(decision for decision in going if currency[decision.invoice_id] == code)
        yield LetterPlan(recipient.id, code, lines)


def _next_look(
    invoice: InvoiceFacts, steps: tuple[DueStep, ...], decisions: list[Decision], now: datetime
) -> datetime | None:
    """The next instant at which something may change without a new fact."""
    if invoice.status != "open":
        return None
    codes = [item.step.code for item in steps]
    left = _left(invoice)
    last_left = max((codes.index(code) for code in left if code in codes), default=-1)
    instants = [item.due_at for item in steps[last_left + 1 :] if item.due_at > now]
    for decision in decisions:
        if decision.action == "send":
            instants.append(now)
        elif decision.until is not None:
            instants.append(decision.until)
    return min(instants, default=None)
