"""What ran, and what people must be told. A run is written before its work and closed after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Identity, Index, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from nudgepay import clock, metrics
from nudgepay.db import Base, Database


class LedgerEntry(Base):
    """One execution. Started and never ended means that it was killed."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        Index("ix_ledger_entries_kind_name_started_at", "kind", "name", "started_at"),
        Index("ix_ledger_entries_unended", "started_at", postgresql_where=text("outcome IS NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    actor: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class Notice(Base):
    """Something people must be told: one row per `dedup_key`, open until `resolved_at`."""

    __tablename__ = "notices"
    __table_args__ = (
        Index("uq_notices_open", "dedup_key", unique=True, postgresql_where=text("resolved_at IS NULL")),
        Index("ix_notices_open", "kind", "created_at", "id", postgresql_where=text("resolved_at IS NULL")),
        Index("ix_notices_open_in_order", "id", postgresql_where=text("resolved_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[str]
    dedup_key: Mapped[str]
    details: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]


def notice(session: Session, kind: str, dedup_key: str, details: dict[str, Any] | None = None) -> None:
    """Open a notice in the caller's transaction; an open one with the same key stays the only one."""
    session.execute(
        insert(Notice)
        .values(kind=kind, dedup_key=dedup_key, details=details or {})
        .on_conflict_do_nothing(index_elements=["dedup_key"], index_where=text("resolved_at IS NULL"))
    )


def resolve_notice(session: Session, dedup_key: str, *, actor: str) -> bool:
    """Close the open notice with this key; False when there is none."""
    result = session.execute(
        update(Notice)
        .where(Notice.dedup_key == dedup_key, Notice.resolved_at.is_(None))
        .values(resolved_at=func.now(), resolved_by=actor)
        .returning(Notice.id)
    )
    return result.first() is not None


@dataclass(frozen=True, slots=True)
class OpenNotices:
    """What is open of one kind: how many, and since when the oldest."""

    kind: str
    count: int
    since: datetime


def open_notices_by_kind(session: Session) -> list[OpenNotices]:
    """What is still open, summed up by kind."""
    query = (
        select(Notice.kind, func.count(), func.min(Notice.created_at))
        .where(Notice.resolved_at.is_(None))
        .group_by(Notice.kind)
    )
    return [OpenNotices(*row) for row in session.execute(query)]


def open_notices(session: Session) -> list[Notice]:
    """What is still open, oldest first."""
    query = select(Notice).where(Notice.resolved_at.is_(None)).order_by(Notice.created_at, Notice.id)
    return list(session.scalars(query))


def reopen_notice(session: Session, notice_id: int) -> bool:
    """Take back that a notice was closed; False when it is open, or another with its key is."""
    found = session.get(Notice, notice_id, with_for_update=True)
    if found is None or found.resolved_at is None:
        return False
    same = select(Notice.id).where(Notice.dedup_key == found.dedup_key, Notice.resolved_at.is_(None))
    if session.scalar(same) is not None:
        return False
    try:
        with session.begin_nested():
            found.resolved_at = found.resolved_by = None
            session.flush()
    except IntegrityError:
        return False
    return True


def begin(session: Session, *, kind: str, name: str, actor: str) -> int:
    """Write the start entry of a run; returns its id."""
    entry = LedgerEntry(kind=kind, name=name, actor=actor)
    session.add(entry)
    session.flush()
    return entry.id


def tell_progress(session: Session, entry_id: int, details: dict[str, Any]) -> None:
    """What a run that goes on has found so far."""
    running = update(LedgerEntry).where(LedgerEntry.id == entry_id, LedgerEntry.ended_at.is_(None))
    session.execute(running.values(details=details))


def end(session: Session, entry_id: int, *, outcome: str, details: dict[str, Any]) -> None:
    """Write the end of a run."""
    session.execute(
        update(LedgerEntry)
        .where(LedgerEntry.id == entry_id)
        .values(ended_at=func.clock_timestamp(), outcome=outcome, details=details)
    )


def write(session: Session, *, kind: str, name: str, actor: str, details: dict[str, Any]) -> int:
    """Start and end at once, in the caller's transaction, of what is done whole or not at all; returns its id."""
    entry_id = begin(session, kind=kind, name=name, actor=actor)
    end(session, entry_id, outcome="done", details=details)
    return entry_id


def entry_of(session: Session, entry_id: int, *, kind: str) -> LedgerEntry | None:
    """The entry with this id, if it is of this kind."""
    query = select(LedgerEntry).where(LedgerEntry.id == entry_id, LedgerEntry.kind == kind)
    return session.scalar(query) if 0 < entry_id < 2**63 else None


@contextmanager
def execution(db: Database, *, kind: str, name: str, actor: str) -> Iterator[dict[str, Any]]:
    """Write the start entry, run the body, write the end entry; the body fills the yielded details.

    Without a start entry the body does not run. An error is recorded as outcome `failed` and re-raised.
    """
    with db.independent() as session:
        entry_id = begin(session, kind=kind, name=name, actor=actor)
    details: dict[str, Any] = {}
    outcome = "failed"
    started = clock.monotonic()
    try:
        yield details
        outcome = str(details.pop("outcome", "done"))
    except BaseException as error:
        details["error"] = type(error).__name__
        raise
    finally:
        with db.independent() as session:
            end(session, entry_id, outcome=outcome, details=details)
        if kind == "job":
            metrics.automation_jobs.labels(job=name, status=outcome).inc()
            metrics.automation_job_seconds.labels(job=name).observe(clock.monotonic() - started)
            if outcome == "done":
                metrics.automation_last_success.labels(job=name).set(clock.now().timestamp())


def flag_abandoned(session: Session) -> int:
    """Mark runs that began more than an hour ago and never ended, and tell of each job once; returns how many.

    `ended_at` stays empty: it did not end. A run that was only slow overwrites the mark with its own end.
    """
    rows = session.execute(
        update(LedgerEntry)
        .where(LedgerEntry.outcome.is_(None), LedgerEntry.started_at < func.now() - text("interval '1 hour'"))
        .values(outcome="abandoned")
        .returning(LedgerEntry.id, LedgerEntry.name)
    ).all()
    for entry_id, name in rows:
        notice(session, "job.abandoned", f"job.abandoned:{name}", {"job": name, "ledger_entry": entry_id})
    return len(rows)


def failures_in_a_row(session: Session, name: str, *, most: int) -> int:
    """How many of the newest ended runs of a job failed, up to `most`."""
    query = (
        select(LedgerEntry.outcome)
        .where(LedgerEntry.kind == "job", LedgerEntry.name == name, LedgerEntry.outcome.is_not(None))
        .order_by(LedgerEntry.started_at.desc())
    )
    outcomes = session.scalars(query.limit(most)).all()
    return next((number for number, outcome in enumerate(outcomes) if outcome != "failed"), len(outcomes))


def forget_routine(session: Session, *, days: int, most: int) -> int:
    """Drop the oldest entries of jobs that went well more than `days` ago, at most `most`; returns how many."""
    old = (
        select(LedgerEntry.id)
        .where(
            LedgerEntry.kind == "job",
            LedgerEntry.outcome == "done",
            LedgerEntry.started_at < func.now() - timedelta(days=days),
        )
        .order_by(LedgerEntry.id)
        .limit(most)
    )
    gone = session.execute(delete(LedgerEntry).where(LedgerEntry.id.in_(old)).returning(LedgerEntry.id))
    return len(gone.all())
