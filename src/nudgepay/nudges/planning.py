"""The planning pass: every step that has come due becomes a row. What a pass costs is what is due."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay import ledger, metrics
from nudgepay.db import Database
from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.facts import LEFT_STATES, Schedule
from nudgepay.nudges.reasons import REVERSIBLE
from nudgepay.nudges.schedules import DEFAULT, current_schedules
from nudgepay.nudges.timeline import UNPLANNABLE, DueStep, timeline

BATCH = 5_000
RETRY_UNPLANNABLE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PlanningCounts:
    """What a pass did: invoices looked at, reminders written, invoices that could not be planned."""

    invoices: int
    planned: int
    failed: int = 0


_DUE = """
SELECT i.id, i.client_id, i.issued_on, i.due_on, c.country, c.timezone,
       coalesce(i.schedule_name, c.schedule_name, :default) AS schedule, i.status = 'open' AS is_open
  FROM invoices i JOIN clients c ON c.id = i.client_id
 WHERE i.next_at <= :now
 ORDER BY i.next_at, i.id
 LIMIT :batch
   FOR SHARE OF c SKIP LOCKED
   FOR NO KEY UPDATE OF i SKIP LOCKED
"""
"""A client in a sender's hands is passed over: the client's lock comes before those of its reminders and
invoices, for everybody, so no two can wait for each other."""

_LOOK = """
UPDATE reminders SET look_at = :now
 WHERE client_id = ANY(:client_ids) AND state = 'planned' AND look_at > :now AND invoice_id = ANY(:ids)
"""

_INSERT = """
WITH due AS (
  SELECT * FROM unnest(CAST(:invoice_ids AS bigint[]), CAST(:client_ids AS bigint[]), CAST(:steps AS text[]),
                       CAST(:versions AS bigint[]), CAST(:due_ats AS timestamptz[]))
             AS due (invoice_id, client_id, step, version, due_at)
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
UPDATE invoices i SET next_at = due.next_at
  FROM unnest(CAST(:ids AS bigint[]), CAST(:next_ats AS timestamptz[])) AS due (id, next_at)
 WHERE i.id = due.id
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
    while limit is None or looked_at < limit:
        with db.transaction() as session:
            rows = list(session.execute(text(_DUE), {"now": now, "batch": batch, "default": DEFAULT}))
            work = _Batch(current_schedules(session), calendar, now)
            for row in rows:
                work.add(row)
            written = work.write(session) if rows else {}
        for step, count in written.items():
            metrics.reminders.labels(stage=step, status="planned").inc(count)
        planned += sum(written.values())
        looked_at += len(rows)
        failed += len(work.unplannable)
        if len(rows) < batch:
            break
    return PlanningCounts(looked_at, planned, failed)


@dataclass(slots=True)
class _Batch:
    """The columns of one batch, and the timelines that its invoices share."""

    schedules: dict[str, Schedule]
    calendar: WorkCalendar
    now: datetime
    timelines: dict[tuple[Any, ...], tuple[DueStep, ...]] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)
    client_ids: list[int] = field(default_factory=list)
    next_ats: list[datetime | None] = field(default_factory=list)
    due: tuple[list[int], list[int], list[str], list[int], list[datetime]] = field(
        default_factory=lambda: ([], [], [], [], [])
    )
    unplannable: list[int] = field(default_factory=list)

    def add(self, row: Row[Any]) -> None:
        """Take in one invoice: its due steps and its next instant."""
        invoice_id, client_id, issued_on, due_on, country, zone, name, is_open = tuple(row)
        self.ids.append(invoice_id)
        self.client_ids.append(client_id)
        if not is_open:
            self.next_ats.append(None)
            return
        schedule = self.schedules.get(name) or self.schedules[DEFAULT]
        try:
            steps = self._timeline(schedule, issued_on=issued_on, due_on=due_on, country=country, zone_name=zone)
        except UNPLANNABLE:
            self.unplannable.append(invoice_id)
            self.next_ats.append(self.now + RETRY_UNPLANNABLE)
            return
        invoice_ids, owners, codes, versions, due_ats = self.due
        for item in steps:
            if item.due_at > self.now:
                self.next_ats.append(item.due_at)
                return
            invoice_ids.append(invoice_id)
            owners.append(client_id)
            codes.append(item.step.code)
            versions.append(schedule.version)
            due_ats.append(item.due_at)
        self.next_ats.append(None)

    def _timeline(self, schedule: Schedule, **of: Any) -> tuple[DueStep, ...]:
        key = (schedule.name, *of.values())
        found = self.timelines.get(key)
        if found is None:
            found = self.timelines[key] = timeline(schedule, calendar=self.calendar, **of)
        return found

    def write(self, session: Session) -> dict[str, int]:
        """Write everything in three statements; returns how many reminders of each step are due anew."""
        session.execute(text(_LOOK), {"ids": self.ids, "client_ids": self.client_ids, "now": self.now})
        names = ("invoice_ids", "client_ids", "steps", "versions", "due_ats")
        written = session.execute(
            text(_INSERT),
            {
                **dict(zip(names, self.due, strict=True)),
                "left": sorted(LEFT_STATES),
                "reversible": sorted(REVERSIBLE),
            },
        )
        counts = {str(row.step): int(row.rows) for row in written}
        session.execute(text(_NEXT), {"ids": self.ids, "next_ats": self.next_ats})
        for invoice_id in self.unplannable:
            ledger.notice(session, "planning.failed", f"planning.failed:{invoice_id}", {"invoice_id": invoice_id})
        return counts
