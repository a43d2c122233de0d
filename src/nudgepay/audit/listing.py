"""The log as people read it: newest first, by who, what, to what and when. A page costs what it shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, text, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from nudgepay.audit.models import AuditEvent
from nudgepay.errors import OperationalError

LONGEST_MS = 5_000
MOST_CHOICES = 300
CANCELLED = "57014"


class LogTooLong(OperationalError):
    """What was asked for is not found soon enough."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What to list; None asks for all. `subjects` are alternatives; `until` is not included."""

    actor: str | None = None
    action: str | None = None
    subjects: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None


def audit_events(
    session: Session, wanted: AuditFilter, *, before: tuple[datetime, int] | None = None, limit: int
) -> list[AuditEvent]:
    """The newest records first; `before` is the last one of the page before. Raises LogTooLong."""
    query = narrowed(select(AuditEvent), wanted).order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(limit)
    if before is not None:
        query = query.where(tuple_(AuditEvent.at, AuditEvent.id) < before)
    session.execute(text("SELECT set_config('statement_timeout', :ms, true)"), {"ms": str(LONGEST_MS)})
    try:
        return list(session.scalars(query))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != CANCELLED:
            raise
        raise LogTooLong("this takes too long to find: take fewer days, or another filter") from error


def narrowed(query: Select[Any], wanted: AuditFilter) -> Select[Any]:
    """The query with the filter's conditions."""
    if wanted.actor is not None:
        query = query.where(AuditEvent.actor == wanted.actor)
    if wanted.action is not None:
        query = query.where(AuditEvent.action == wanted.action)
    if wanted.subjects is not None:
        query = query.where(AuditEvent.subject.in_(wanted.subjects))
    if wanted.since is not None:
        query = query.where(AuditEvent.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEvent.at < wanted.until)
    return query


def known_actors(session: Session) -> list[str]:
    """Everybody who ever acted, at most 300; one step of the index each."""
    return list(session.scalars(text(_steps("actor")), {"most": MOST_CHOICES}))


def known_actions(session: Session) -> list[str]:
    """Everything that was ever done, at most 300."""
    return list(session.scalars(text(_steps("action")), {"most": MOST_CHOICES}))


def _steps(column: str) -> str:
    first = f"(SELECT {column} FROM audit_events ORDER BY {column} LIMIT 1)"  # noqa: S608  # a name of ours
    following = f"(SELECT {column} FROM audit_events WHERE {column} > s.it ORDER BY {column} LIMIT 1)"  # noqa: S608  # a name of ours
    return (
        f"WITH RECURSIVE s(it) AS ({first} UNION ALL SELECT {following} FROM s WHERE s.it IS NOT NULL)"  # noqa: S608  # a name of ours
        " SELECT it FROM s WHERE it IS NOT NULL LIMIT :most"
    )


@dataclass(frozen=True, slots=True)
class ChainState:
    """Where the chain stands: `sealed` records, `unsealed` ones (counted up to 1,001), the newest checkpoint."""

    sealed: int
    unsealed: int
    checkpoint_at: datetime | None
    key_id: str | None


def chain_state(session: Session) -> ChainState:
    """Asked in a few steps of indexes, however long the log is."""
    return ChainState(*session.execute(text(_CHAIN)).one())


_CHAIN = """
SELECT coalesce(head.seq, 0),
       (SELECT count(*) FROM (SELECT FROM audit_events WHERE id > coalesce(head.event_id, 0) LIMIT 1001) AS open),
       point.at, point.key_id
  FROM (SELECT) AS one
  LEFT JOIN LATERAL (SELECT seq, event_id FROM audit_seals ORDER BY seq DESC LIMIT 1) AS head ON true
  LEFT JOIN LATERAL (SELECT at, key_id FROM audit_checkpoints ORDER BY id DESC LIMIT 1) AS point ON true
"""
