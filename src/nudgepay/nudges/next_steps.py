"""What comes next for each invoice of a page, or why it is silent: a few statements for any number of rows."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.facts import Schedule
from nudgepay.nudges.queries import plain_invoice, plain_reminder
from nudgepay.nudges.schedules import DEFAULT, current_schedules
from nudgepay.nudges.sequence import Sequence as Place
from nudgepay.nudges.sequence import sequence
from nudgepay.nudges.timeline import UNPLANNABLE, timeline

What = Literal["step", "now", "silent", "over", "none"]
OF_THE_ROW = frozenset({"amnesty", "needs_review", "reminders_off", "autopay", "payment_in_flight", "paused_until"})
"""Reasons that the invoice's or the client's own row tells at once, before a pass has looked again."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """`step`: the step goes at `at`; `now`: the next pass looks at it; `silent`: held for `reason`, until `at` if a
    clock ends it or `day` if a person named one; `over`: the last step has left; `none`: a closed one or a draft."""

    what: What
    step: str = ""
    at: datetime | None = None
    reason: str = ""
    day: date | None = None


def next_steps(
    session: Session, rows: Sequence[Row[Any]], *, calendar: WorkCalendar, now: datetime
) -> dict[int, NextStep]:
    """By invoice id. `rows` are those of an invoice page."""
    claimed = [row for row in rows if row.status == "open"]
    if not claimed:
        return {row.id: NextStep("none") for row in rows}
    schedules = current_schedules(session)
    reminders = _reminders(session, [row.id for row in claimed])
    found = {
        row.id: _own_reason(row, calendar, now) or _next(row, schedules, reminders[row.id], calendar, now)
        for row in claimed
    }
    return {row.id: found.get(row.id, NextStep("none")) for row in rows}


_REMINDERS = """
SELECT id, invoice_id, step, schedule_version, state, due_at, nudge_key, reason, held_reason, held_until
  FROM reminders WHERE invoice_id = ANY(:ids) AND nudge_key IS NULL
UNION ALL
SELECT id, invoice_id, step, schedule_version, state, due_at, nudge_key, reason, held_reason, held_until
  FROM reminders WHERE state = 'planned' AND nudge_key IS NOT NULL AND invoice_id = ANY(:ids)
 ORDER BY due_at, id
"""
"""Each half by an index of its own: steps by their invoice, and the few nudges that wait."""


def _reminders(session: Session, ids: Collection[int]) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in session.execute(text(_REMINDERS), {"ids": list(ids)}):
        found[row.invoice_id].append(row)
    return found


def _next(
    row: Row[Any], schedules: dict[str, Schedule], reminders: list[Row[Any]], calendar: WorkCalendar, now: datetime
) -> NextStep:
    waiting = next((one for one in reversed(reminders) if one.state in {"planned", "claimed"}), None)
    if waiting is not None:
        if waiting.held_reason is None or waiting.held_reason in OF_THE_ROW:
            return NextStep("now", step=waiting.step)
        return NextStep("silent", step=waiting.step, at=waiting.held_until, reason=waiting.held_reason)
    return _ahead(row, schedules, reminders, calendar, now)


def _ahead(
    row: Row[Any], schedules: dict[str, Schedule], reminders: list[Row[Any]], calendar: WorkCalendar, now: datetime
) -> NextStep:
    try:
        place = _place(row, schedules.get(row.follows) or schedules[DEFAULT], reminders, calendar, now)
    except UNPLANNABLE:
        return NextStep("silent", reason="template_error")
    known = {one.step for one in reminders if one.schedule_version == place.version and one.nudge_key is None}
    if place.fitting is not None and (code := place.steps[place.fitting].step.code) not in known:
        return NextStep("now", step=code)
    coming = next((one for one in place.steps[place.reached + 1 :] if one.due_at > now), None)
    return NextStep("step", coming.step.code, coming.due_at) if coming else NextStep("over")


def _own_reason(row: Row[Any], calendar: WorkCalendar, now: datetime) -> NextStep | None:
    """In the engine's order of precedence."""
    is_autopay = (row.autopay or row.client_autopay) and row.autopay_failed_at is None
    reasons = {
        "amnesty": row.amnesty_at is not None,
        "needs_review": row.money_state == "needs_review",
        "reminders_off": row.reminders_off_at is not None or row.client_reminders_off_at is not None,
        "autopay": is_autopay,
        "payment_in_flight": row.money_state == "in_payment",
    }
    reason = next((name for name, holds in reasons.items() if holds), None)
    if reason is not None:
        return NextStep("silent", reason=reason)
    paused = max((day for day in (row.paused_until, row.client_paused_until) if day is not None), default=None)
    if paused == date.max:
        return NextStep("silent", reason="paused_until")
    if paused is not None and now < calendar.opening(paused + timedelta(days=1), row.country, row.timezone):
        return NextStep("silent", reason="paused_until", day=paused)
    return None


def _place(
    row: Row[Any], schedule: Schedule, reminders: list[Row[Any]], calendar: WorkCalendar, now: datetime
) -> Place:
    invoice = plain_invoice(row, schedule, (plain_reminder(one) for one in reminders))
    steps = timeline(
        schedule,
        issued_on=row.issued_on,
        due_on=row.due_on,
        country=row.country,
        zone_name=row.timezone,
        calendar=calendar,
    )
    return sequence(invoice, steps, now)
