"""What will go out, when, and why the rest will not: the engine run forward over its own answers. Pure."""

from dataclasses import replace
from datetime import datetime

from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.facts import ClientFacts, Decision, InvoiceFacts, Plan, ReminderFacts, Rules
from nudgepay.nudges.plan import plan

MAX_LOOKS = 10_000
"""A guard: no client changes its mind more often in the span of a preview."""


def simulate(
    client: ClientFacts, *, rules: Rules, calendar: WorkCalendar, start: datetime, end: datetime
) -> list[Decision]:
    """Every change of mind from `start` to `end` (UTC), as if passes ran whenever one could matter.

    A letter counts as accepted at the instant it goes. A hold is listed once for each reason it takes.
    """
    log: list[Decision] = []
    holding: dict[tuple[int, str], str | None] = {}
    now: datetime | None = start
    for _ in range(MAX_LOOKS):
        if now is None or now > end:
            break
        answer = plan(client, rules=rules, calendar=calendar, now=now)
        log += _news(answer, holding)
        client = _as_if_done(client, answer, now)
        after = plan(client, rules=rules, calendar=calendar, now=now).next_at.values()
        now = min((instant for instant in after if instant is not None and instant > now), default=None)
    return log


def _news(answer: Plan, holding: dict[tuple[int, str], str | None]) -> list[Decision]:
    news = []
    for decision in answer.due:
        key = (decision.invoice_id, decision.step)
        if decision.action == "hold":
            if holding.get(key) == decision.reason:
                continue
            holding[key] = decision.reason
        news.append(decision)
    return news


def _as_if_done(client: ClientFacts, answer: Plan, now: datetime) -> ClientFacts:
    by_invoice: dict[int, list[Decision]] = {}
    for decision in answer.due:
        by_invoice.setdefault(decision.invoice_id, []).append(decision)
    written_to = {letter.contact_id for letter in answer.letters}
    return replace(
        client,
        invoices=tuple(_with_rows(invoice, by_invoice.get(invoice.id, [])) for invoice in client.invoices),
        contacts=tuple(
            replace(contact, last_contact_at=now) if contact.id in written_to else contact
            for contact in client.contacts
        ),
    )


def _with_rows(invoice: InvoiceFacts, decisions: list[Decision]) -> InvoiceFacts:
    states = {"send": "accepted", "hold": "planned", "skip": "skipped"}
    rows = list(invoice.reminders)
    for decision in decisions:
        match = [
            row
            for row in rows
            if row.state in {"planned", "claimed"}
            and (row.id == decision.reminder_id if decision.reminder_id is not None else row.id is None)
            and (row.step, row.schedule_version) == (decision.step, decision.schedule_version)
        ]
        row = match[0] if match else None
        if row is not None:
            rows.remove(row)
        base = row or ReminderFacts(None, decision.step, decision.schedule_version, "planned", decision.at)
        rows.append(replace(base, state=states[decision.action]))
    return replace(invoice, reminders=tuple(rows))
