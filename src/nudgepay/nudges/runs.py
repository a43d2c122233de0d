"""Reads of runs: what each pass planned, sent, held and skipped."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.errors import NotFound

_RUNS = """
SELECT id, now, started_at, ended_at, counts FROM runs
 WHERE (:with_idle OR ended_at IS NULL
        OR coalesce((counts ->> 'planned')::bigint, 0) + coalesce((counts ->> 'letters')::bigint, 0)
           + coalesce((counts ->> 'failed')::bigint, 0) + coalesce((counts ->> 'unknown')::bigint, 0) > 0)
   AND (CAST(:after_at AS timestamptz) IS NULL OR (started_at, id) < (:after_at, CAST(:after_id AS uuid)))
 ORDER BY started_at DESC, id DESC LIMIT :limit
"""
"""An idle pass is most passes; a list of them says nothing."""


def list_runs(
    session: Session, *, with_idle: bool, limit: int, after: tuple[datetime, uuid.UUID] | None = None
) -> list[Row[Any]]:
    """The newest runs that did something, or all; those behind the run `after` (its start and id)."""
    at, last = after or (None, None)
    values = {"with_idle": with_idle, "limit": limit, "after_at": at, "after_id": last}
    return list(session.execute(text(_RUNS), values))


def run_record(session: Session, run_id: uuid.UUID) -> Row[Any]:
    """One run; raises NotFound."""
    query = text("SELECT id, now, started_at, ended_at, counts FROM runs WHERE id = :id")
    found = session.execute(query, {"id": run_id}).one_or_none()
    if found is None:
        raise NotFound("there is no such run")
    return found


def letters_of_run(session: Session, run_id: uuid.UUID, *, limit: int) -> list[Row[Any]]:
    """The letters that a run wrote, in the order in which they went out."""
    query = text(
        "SELECT l.id, l.state, l.to_address, l.subject, l.currency, l.amount, l.sending_at, l.client_id,"
        "       c.name AS client"
        "  FROM letters l JOIN clients c ON c.id = l.client_id WHERE l.run_id = :id ORDER BY l.sending_at, l.id"
        " LIMIT :limit"
    )
    return list(session.execute(query, {"id": run_id, "limit": limit}))
