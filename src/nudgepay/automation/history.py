"""What ran and how it went: each job's last run, and the ledger page by page."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from nudgepay.automation.schedule import SCHEDULE, Job
from nudgepay.ledger import LedgerEntry

KINDS = ("job", "drill", "check", "act")
OUTCOMES = ("done", "failed", "abandoned", "busy", "running")
"""What one may ask for; `running` is a run without an end."""


@dataclass(frozen=True, slots=True)
class JobState:
    """A job and its last run. `ok_at`: the last that went well. `request`: `todo` or `doing`, when asked for."""

    job: Job
    entry_id: int | None
    started_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    ok_at: datetime | None
    request: str | None

    @property
    def is_running(self) -> bool:
        """True while the last run has no end."""
        return self.entry_id is not None and self.outcome is None

    @property
    def lasted(self) -> timedelta | None:
        """How long the last run took."""
        return self.ended_at - self.started_at if self.ended_at and self.started_at else None


_STATES = """
SELECT n.name, last.id, last.started_at, last.ended_at, last.outcome, ok.started_at AS ok_at, asked.status
  FROM unnest(CAST(:names AS text[])) AS n(name)
  LEFT JOIN LATERAL (SELECT id, started_at, ended_at, outcome FROM ledger_entries
                      WHERE kind = 'job' AND name = n.name ORDER BY started_at DESC LIMIT 1) AS last ON true
  LEFT JOIN LATERAL (SELECT started_at FROM ledger_entries
                      WHERE kind = 'job' AND name = n.name AND outcome = 'done'
                      ORDER BY started_at DESC LIMIT 1) AS ok ON true
  LEFT JOIN LATERAL (SELECT status::text AS status FROM procrastinate.procrastinate_jobs
                      WHERE queueing_lock = n.name AND status IN ('todo', 'doing')
                      ORDER BY status::text DESC LIMIT 1) AS asked ON true
"""


def job_states(session: Session, jobs: tuple[Job, ...] = SCHEDULE) -> list[JobState]:
    """Every job (or these) with its last run, in the order of the schedule."""
    rows = {row.name: row for row in session.execute(text(_STATES), {"names": [job.name for job in jobs]})}
    return [JobState(job, *rows[job.name][1:]) for job in jobs]


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """What to list; None asks for all. Values outside of the lists above are no filter."""

    kind: str | None = None
    name: str | None = None
    outcome: str | None = None


def ledger_entries(
    session: Session, wanted: LedgerFilter, *, before: int | None = None, limit: int = 50
) -> list[LedgerEntry]:
    """The newest first; `before` is the id of the last one on the page before."""
    query = select(LedgerEntry).order_by(LedgerEntry.id.desc()).limit(limit)
    if wanted.kind is not None:
        query = query.where(LedgerEntry.kind == wanted.kind)
    if wanted.name is not None:
        query = query.where(LedgerEntry.name == wanted.name)
    if wanted.outcome == "running":
        query = query.where(LedgerEntry.outcome.is_(None))
    elif wanted.outcome is not None:
        query = query.where(LedgerEntry.outcome == wanted.outcome)
    if before is not None:
        query = query.where(LedgerEntry.id < before)
    return list(session.scalars(query))


def last_runs(session: Session, job: str, *, limit: int = 15) -> list[LedgerEntry]:
    """The newest runs of one job."""
    query = select(LedgerEntry).where(LedgerEntry.kind == "job", LedgerEntry.name == job)
    return list(session.scalars(query.order_by(LedgerEntry.started_at.desc()).limit(limit)))
