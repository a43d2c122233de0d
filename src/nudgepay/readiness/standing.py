"""How an installation stands, as far as it costs nothing to ask: versions, size, connections, workers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import __version__
from nudgepay.readiness.doctor import SILENT_SECONDS
from nudgepay.schema_lifecycle.revisions import head

MOST_WORKERS = 20


@dataclass(frozen=True, slots=True)
class Standing:
    """`revision` is the database's, `wanted` this code's. Sizes in bytes."""

    version: str
    revision: str | None
    wanted: str
    postgresql: str
    size: int
    connections: int
    most_connections: int


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker process and when it was last heard of."""

    id: int
    heard_at: datetime
    is_silent: bool


_STANDING = """
SELECT (SELECT version_num FROM alembic_version LIMIT 1) AS revision,
       current_setting('server_version') AS postgresql,
       pg_database_size(current_database()) AS size,
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS connections,
       current_setting('max_connections')::int AS most_connections
"""
_WORKERS = """
SELECT id, last_heartbeat FROM procrastinate.procrastinate_workers ORDER BY last_heartbeat DESC LIMIT :most
"""


def read_standing(session: Session) -> Standing:
    """Versions, size and connections, in one statement."""
    row = session.execute(text(_STANDING)).one()
    return Standing(
        version=__version__,
        revision=row.revision,
        wanted=head(),
        postgresql=row.postgresql.split(" ")[0],
        size=row.size,
        connections=row.connections,
        most_connections=row.most_connections,
    )


def workers_seen(session: Session, *, now: datetime) -> list[WorkerSeen]:
    """The workers that were heard of, the last one first."""
    limit = now - timedelta(seconds=SILENT_SECONDS)
    rows = session.execute(text(_WORKERS), {"most": MOST_WORKERS})
    return [WorkerSeen(row.id, row.last_heartbeat, row.last_heartbeat < limit) for row in rows]
