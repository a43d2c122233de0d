"""What will go out, when, and why the rest will not: the engine run forward over its own answers. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.facts import ClientFacts, Decision, InvoiceFacts, Plan, ReminderFacts, Rules
from nudgepay.nudges.plan import plan
from nudgepay.nudges.reasons import FINAL_REASONS

MAX_LOOKS = 10_000
"""A guard: no client changes its mind more often in the span of a preview."""
STATE_AFTER = {"send": "accepted", "hold": "planned", "skip": "skipped"}


def simulate(
    client: ClientFacts, *, rules: Rules, calendar: WorkCalendar, start: datetime, end: datetime
) -> list[Decision]:
    """Every change of mind from `start` to `end` (UTC), as if passes ran whenever one could matter.

    A letter counts as accepted at the instant it goes. A hold is listed once for each reason it takes.
    """
    log: list[Decision] = []
    shown: dict[tuple[int, str, int, int | None], str | None] = {}
    for _, answer in answers(client, rules=rules, calendar=calendar, start=start, end=end):
        log += news(answer.due, shown)
    return log


def answers(
    client: ClientFacts, *, rules: Rules, calendar: WorkCalendar, start: datetime, end: datetime
) -> Iterator[tuple[datetime, Plan]]:
    """The engine's answer at `start` and at each later instant up to `end` at which one could matter."""
    now: datetime | None = start
    for _ in range(MAX_LOOKS):
        if now is None or now > end:
            break
        answer = plan(client, rules=rules, calendar=calendar, now=now)
        yield now, answer
        client = as_if_done(client, answer, now)
        coming = (instant for instant in answer.next_at.values() if instant is not None and instant > now)
        now = min(coming, default=None)


def news(
    decisions: Iterable[Decision], shown: dict[tuple[int, str, int, int | None], str | None]
) -> Iterable[Decision]:
    """The decisions without the holds whose reason `shown` has already; `shown` remembers them."""
    for decision in decisions:
        key = (decision.invoice_id, decision.step, decision.schedule_version, decision.reminder_id)
        if decision.action != "hold" or shown.get(key) != decision.reason:
            shown[key] = decision.reason
            yield decision


def as_if_done(client: ClientFacts, answer: Plan, now: datetime) -> ClientFacts:
    """The client after a pass at `now` that carried the answer out and whose letters were accepted."""
    by_invoice: dict[int, list[Decision]] = {}
    for decision in answer.due:
        by_invoice.setdefault(decision.invoice_id, []).append(decision)
    written_to = {letter.contact_id for letter in answer.letters}
    return replace(
        client,
        invoices=tuple(_with_rows(invoice, by_invoice.get(invoice.id, ())) for invoice in client.invoices),
        contacts=tuple(
            replace(contact, last_contact_at=now) if contact.id in written_to else contact
            for contact in client.contacts
        ),
    )


def _with_rows(invoice: InvoiceFacts, decisions: Iterable[Decision]) -> InvoiceFacts:
    rows = list(invoice.reminders)
    for decision in decisions:
        place = next((place for place, row in enumerate(rows) if _is_of(row, decision)), None)
        row = ReminderFacts(None, decision.step, decision.schedule_version, "planned", decision.at)
        if place is not None:
            row = rows.pop(place)
        reason = decision.reason if decision.reason in FINAL_REASONS else None
        due_at = row.due_at if decision.action == "send" else decision.at
        rows.append(replace(row, state=STATE_AFTER[decision.action], reason=reason, due_at=due_at))
    return replace(invoice, reminders=tuple(rows))


def _is_of(row: ReminderFacts, decision: Decision) -> bool:
    if decision.reminder_id is not None or row.nudge_key is not None:
        return row.id == decision.reminder_id
    return (row.step, row.schedule_version) == (decision.step, decision.schedule_version)
