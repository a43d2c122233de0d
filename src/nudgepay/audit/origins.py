"""Where acts come from: said once by the edge, part of all that is recorded meanwhile, forgotten on demand."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from nudgepay.audit.models import AuditEvent
from nudgepay.audit.recording import present_origin, record

MOST_AT_ONCE = 10_000
_present: ContextVar[str | None] = present_origin


@contextmanager
def acting_from(origin: str) -> Iterator[None]:
    """Everything recorded in this context has this origin: `web:ADDRESS AGENT`, `cli:HOST/USER` or `job:NAME`."""
    outer = _present.set(origin)
    try:
        yield
    finally:
        _present.reset(outer)


def forget_origins(
    session: Session, *, actor: str, of: str | None = None, before: datetime | None = None, most: int = MOST_AT_ONCE
) -> int:
    """Forget where acts came from, oldest first: those of one actor, those before an instant, or both.

    Returns how many were forgotten, at most `most`; call it again until it says 0. The chain stays whole.
    """
    wanted = select(AuditEvent.id).where(AuditEvent.origin.is_not(None)).order_by(AuditEvent.at, AuditEvent.id)
    if of is not None:
        wanted = wanted.where(AuditEvent.actor == of)
    if before is not None:
        wanted = wanted.where(AuditEvent.at < before)
    return forget_origins_of(session, list(session.scalars(wanted.limit(most))), actor=actor)


def forget_origins_of(session: Session, ids: Collection[int], *, actor: str) -> int:
    """Forget where these records came from; returns how many still said so."""
    if not ids:
        return 0
    forgotten = int(session.scalar(text("SELECT audit_forget_origins(:ids)"), {"ids": list(ids)}) or 0)
    after = {"records": forgotten, "first": min(ids), "last": max(ids)}
    record(session, actor=actor, action="audit.forget", subject="table:audit_events", after=after)
    return forgotten
