"""The planning pass: every step that has come due becomes a row. What a pass costs is what is due."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay import ledger, metrics
from nudgepay.db import Database
from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.closing_days import calendar_now
from nudgepay.nudges.facts import LEFT_STATES, Schedule
from nudgepay.nudges.reasons import REVERSIBLE
from nudgepay.nudges.schedules import DEFAULT, current_schedules
from nudgepay.nudges.timeline import UNPLANNABLE, timeline

BATCH = 10_000
"""Invoices in one transaction: larger gains nothing, and a payment of a client in it waits for its end."""
RETRY_UNPLANNABLE = timedelta(days=1)
BEGINNING = datetime(1, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PlanningCounts:
    """What a pass did: invoices looked at, reminders written, invoices that could not be planned."""

    invoices: int
    planned: int
    failed: int = 0


_DUE = """
WITH due AS (
  SELECT i.id, i.client_id, i.next_at, i.issued_on, i.due_on, c.country, c.timezone,
         coalesce(i.schedule_name, c.schedule_name, :default) AS schedule, i.status = 'open' AS is_open
    FROM invoices i JOIN clients c ON c.id = i.client_id
   WHERE i.next_at <= :now AND (i.next_at, i.id) > (CAST(:after AS timestamptz), CAST(:after_id AS bigint))
   ORDER BY i.next_at, i.id
   LIMIT :batch
     FOR SHARE OF c SKIP LOCKED
     FOR NO KEY UPDATE OF i SKIP LOCKED
)
SELECT issued_on, due_on, country, timezone, schedule, is_open, count(*) AS invoices,
       CAST(array_agg(id) AS text) AS ids, CAST(array_agg(client_id) AS text) AS client_ids,
       (SELECT max(next_at) FROM due) AS newest_at,
       (SELECT id FROM due ORDER BY next_at DESC, id DESC LIMIT 1) AS newest_id
  FROM due
 GROUP BY issued_on, due_on, country, timezone, schedule, is_open
"""
"""A client in a sender's hands is passed over: the client's lock comes before those of its reminders and
invoices, for everybody, so no two can wait for each other. A pass goes forward only, past what it has written.

Invoices with the same schedule, days, country and zone form a group: its timeline is worked out once. Their ids go
from one statement to the next as the text of an array, which nothing on the way reads."""

_LOOK = """
UPDATE reminders r SET look_at = :now
  FROM unnest(CAST(:ids AS text[]), CAST(:client_ids AS text[])) AS grouped (ids, client_ids),
       unnest(CAST(grouped.ids AS bigint[]), CAST(grouped.client_ids AS bigint[])) AS invoice (id, client_id)
 WHERE r.client_id = invoice.client_id AND r.state = 'planned' AND r.look_at > :now AND r.invoice_id = invoice.id
"""

_INSERT = """
WITH due AS (
  SELECT invoice_id, client_id, step, version, due_at
    FROM unnest(CAST(:ids AS text[]), CAST(:client_ids AS text[])) WITH ORDINALITY AS grouped (ids, client_ids, id)
    JOIN unnest(CAST(:step_groups AS bigint[]), CAST(:steps AS text[]), CAST(:versions AS bigint[]),
                CAST(:due_ats AS timestamptz[])) AS timeline (id, step, version, due_at) USING (id),
         unnest(CAST(ids AS bigint[]), CAST(client_ids AS bigint[])) AS invoice (invoice_id, client_id)
), written AS (
  INSERT INTO reminders (invoice_id, client_id, step, schedule_version, due_at, look_at)
  SELECT invoice_id, client_id, step, version, due_at, due_at
    FROM due
   WHERE NOT EXISTS (
         SELECT FROM reminders r
          WHERE r.invoice_id = due.invoice_id AND r.step = due.step AND r.nudge_key IS NULL
            AND (r.state = ANY(:left)
                 OR r.schedule_version = due.version
                    AND NOT (r.state = 'skipped' AND r.reason = ANY(:reversible)
                             OR r.state IN ('planned', 'skipped') AND r.due_at <> due.due_at)))
  ON CONFLICT (invoice_id, step, schedule_version) WHERE nudge_key IS NULL
  DO UPDATE SET state = 'planned', reason = NULL, due_at = excluded.due_at, look_at = excluded.look_at,
                updated_at = now()
   WHERE reminders.state IN ('planned', 'skipped')
  RETURNING step
)
SELECT step, count(*) AS rows FROM written GROUP BY step
"""
"""A step whose code has left stays out. One that ended with its invoice returns with it; one whose day has
moved moves along; the engine then decides over it as over any other."""

_NEXT = """
UPDATE invoices i SET next_at = grouped.next_at
  FROM unnest(CAST(:ids AS text[]), CAST(:next_ats AS timestamptz[])) AS grouped (ids, next_at),
       unnest(CAST(grouped.ids AS bigint[])) AS invoice (id)
 WHERE i.id = invoice.id
"""


def run_planning(
    db: Database, *, now: datetime, calendar: WorkCalendar, batch: int = BATCH, limit: int | None = None
) -> PlanningCounts:
    """Write a reminder for every due step without one, and each invoice's next instant (UTC).

    Reminders that wait are looked at again, those of closed invoices included, so that their end is explained.
    Any number of planners may run at once: what another has in hand is passed over, and a second insert of an
    occurrence does nothing. An invoice that cannot be planned is told as a notice and tried again a day later.
    """
    looked_at = planned = failed = 0
    after, after_id = BEGINNING, 0
    while limit is None or looked_at < limit:
        with db.transaction() as session:
            groups = _due(session, now=now, batch=batch, after=after, after_id=after_id)
            work = _Batch(current_schedules(session), calendar_now(session, calendar), now)
            for group in groups:
                work.add(group)
            written = work.write(session) if groups else {}
        for step, count in written.items():
            metrics.reminders.labels(stage=step, status="planned").inc(count)
        planned += sum(written.values())
        looked_at += work.invoices
        failed += len(work.failed)
        if work.invoices < batch:
            break
        after, after_id = groups[0].newest_at, groups[0].newest_id
    return PlanningCounts(looked_at, planned, failed)


def _due(session: Session, *, now: datetime, batch: int, after: datetime, after_id: int) -> list[Row[Any]]:
    query = {"now": now, "batch": batch, "default": DEFAULT, "after": after, "after_id": after_id}
    return list(session.execute(text(_DUE), query))


@dataclass(slots=True)
class _Batch:
    """One batch, group by group."""

    schedules: dict[str, Schedule]
    calendar: WorkCalendar
    now: datetime
    invoices: int = 0
    ids: list[str] = field(default_factory=list)
    client_ids: list[str] = field(default_factory=list)
    next_ats: list[datetime | None] = field(default_factory=list)
    due: list[tuple[int, str, int, datetime]] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)

    def add(self, group: Row[Any]) -> None:
        """Take in the invoices of one group."""
        self.invoices += group.invoices
        self.ids.append(group.ids)
        self.client_ids.append(group.client_ids)
        self.next_ats.append(self._plan(group) if group.is_open else None)

    def _plan(self, group: Row[Any]) -> datetime | None:
        """Note the steps that have come due, under the group's place in `ids`; returns when the next one does."""
        schedule = self.schedules.get(group.schedule) or self.schedules[DEFAULT]
        try:
            steps = timeline(
                schedule,
                issued_on=group.issued_on,
                due_on=group.due_on,
                country=group.country,
                zone_name=group.timezone,
                calendar=self.calendar,
            )
        except UNPLANNABLE:
            self.failed += map(int, group.ids.strip("{}").split(","))
            return self.now + RETRY_UNPLANNABLE
        place = len(self.ids)
        self.due += [(place, one.step.code, schedule.version, one.due_at) for one in steps if one.due_at <= self.now]
        return next((one.due_at for one in steps if one.due_at > self.now), None)

    def write(self, session: Session) -> dict[str, int]:
        """Write everything in three statements; returns how many reminders of each step are due anew."""
        invoices = {"ids": self.ids, "client_ids": self.client_ids}
        session.execute(text(_LOOK), {**invoices, "now": self.now})
        columns = [list(column) for column in zip(*self.due, strict=True)] or [[], [], [], []]
        timelines = dict(zip(("step_groups", "steps", "versions", "due_ats"), columns, strict=True))
        terms = {"left": sorted(LEFT_STATES), "reversible": sorted(REVERSIBLE)}
        written = session.execute(text(_INSERT), {**invoices, **timelines, **terms})
        counts = {str(row.step): int(row.rows) for row in written}
        session.execute(text(_NEXT), {"ids": self.ids, "next_ats": self.next_ats})
        for invoice_id in self.failed:
            ledger.notice(session, "planning.failed", f"planning.failed:{invoice_id}", {"invoice_id": invoice_id})
        return counts
