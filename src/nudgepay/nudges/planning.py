"""The planning pass: every step that has come due becomes a row. What a pass costs is what is due."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay import metrics
from nudgepay.db import Database
from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.schedules import DEFAULT, current_schedules
from nudgepay.nudges.timeline import DueStep, timeline

BATCH = 5_000


@dataclass(frozen=True, slots=True)
class PlanningCounts:
    """What a pass did: invoices looked at, reminders written."""

    invoices: int
    planned: int


_DUE = """
SELECT i.id, i.client_id, i.issued_on, i.due_on, c.country, c.timezone,
       coalesce(i.schedule_name, c.schedule_name, :default) AS schedule
  FROM invoices i JOIN clients c ON c.id = i.client_id
 WHERE i.status = 'open' AND i.next_at <= :now
 ORDER BY i.next_at, i.id
 LIMIT :batch
   FOR UPDATE OF i SKIP LOCKED
"""

_INSERT = """
INSERT INTO reminders (invoice_id, client_id, step, schedule_version, due_at, look_at)
SELECT invoice_id, client_id, step, version, due_at, due_at
  FROM unnest(CAST(:invoice_ids AS bigint[]), CAST(:client_ids AS bigint[]), CAST(:steps AS text[]),
              CAST(:versions AS bigint[]), CAST(:due_ats AS timestamptz[]))
       AS due (invoice_id, client_id, step, version, due_at)
 WHERE NOT EXISTS (
       SELECT FROM reminders r
        WHERE r.invoice_id = due.invoice_id AND r.step = due.step AND r.nudge_key IS NULL
          AND r.state IN ('sending', 'accepted', 'delivered', 'bounced', 'complained', 'unknown'))
ON CONFLICT (invoice_id, step, schedule_version) WHERE nudge_key IS NULL DO NOTHING
"""

_NEXT = """
UPDATE invoices i SET next_at = due.next_at
  FROM unnest(CAST(:ids AS bigint[]), CAST(:next_ats AS timestamptz[])) AS due (id, next_at)
 WHERE i.id = due.id
"""

_LOOK = """
UPDATE reminders SET look_at = :now
 WHERE invoice_id = ANY(:ids) AND state = 'planned' AND look_at > :now
"""


def run_planning(
    db: Database, *, now: datetime, calendar: WorkCalendar, batch: int = BATCH, limit: int | None = None
) -> PlanningCounts:
    """Write a reminder for every due step without one, and each invoice's next instant.

    Any number of planners may run at once: rows in another's hands are passed over, and a second insert of
    an occurrence does nothing. A step whose code has left never comes back under a later version.
    """
    looked_at = planned = 0
    while limit is None or looked_at < limit:
        with db.transaction() as session:
            rows = _due(session, now=now, batch=batch)
            planned += _write(session, rows, now=now, calendar=calendar)
        looked_at += len(rows)
        if len(rows) < batch:
            break
    if planned:
        metrics.reminders.labels(stage="any", status="planned").inc(planned)
    return PlanningCounts(looked_at, planned)


def _due(session: Session, *, now: datetime, batch: int) -> list[Row[Any]]:
    return list(session.execute(text(_DUE), {"now": now, "batch": batch, "default": DEFAULT}))


def _write(session: Session, rows: list[Row[Any]], *, now: datetime, calendar: WorkCalendar) -> int:
    if not rows:
        return 0
    schedules = current_schedules(session)
    known: dict[tuple[Any, ...], tuple[DueStep, ...]] = {}
    invoice_ids: list[int] = []
    client_ids: list[int] = []
    steps: list[str] = []
    versions: list[int] = []
    due_ats: list[datetime] = []
    next_ats: list[datetime | None] = []
    for row in rows:
        invoice_id, client_id, issued_on, due_on, country, zone, name = tuple(row)
        schedule = schedules.get(name) or schedules[DEFAULT]
        key = (schedule.name, issued_on, due_on, country, zone)
        found = known.get(key)
        if found is None:
            found = known[key] = timeline(
                schedule, issued_on=issued_on, due_on=due_on, country=country, zone_name=zone, calendar=calendar
            )
        upcoming: datetime | None = None
        for item in found:
            if item.due_at > now:
                upcoming = item.due_at
                break
            invoice_ids.append(invoice_id)
            client_ids.append(client_id)
            steps.append(item.step.code)
            versions.append(schedule.version)
            due_ats.append(item.due_at)
        next_ats.append(upcoming)
    ids = [row.id for row in rows]
    session.execute(text(_LOOK), {"ids": ids, "now": now})
    inserted = session.execute(
        text(_INSERT),
        {
            "invoice_ids": invoice_ids,
            "client_ids": client_ids,
            "steps": steps,
            "versions": versions,
            "due_ats": due_ats,
        },
    )
    session.execute(text(_NEXT), {"ids": ids, "next_ats": next_ats})
    return int(getattr(inserted, "rowcount", 0))
