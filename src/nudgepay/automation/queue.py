"""Procrastinate's rows, in a schema of their own. They carry no truth: each says only that there may be work."""

from collections.abc import Sequence

from procrastinate import App, PsycopgConnector
from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.db import KEEPALIVES, libpq_url, take_role

OPTIONS = "-c search_path=procrastinate -c timezone=UTC -c statement_timeout=30000"
NAME = "jobs"
HEARTBEAT_SECONDS = 10.0
SILENT_SECONDS = 60.0
"""A worker that has not been heard of for this long is gone."""


def procrastinate_app(database_url: str) -> App:
    """The app over its own schema; connects when opened."""
    how = {"options": OPTIONS, "connect_timeout": 5, **KEEPALIVES}
    connector = PsycopgConnector(
        conninfo=libpq_url(database_url), kwargs=how, configure=take_role, min_size=1, max_size=4
    )
    return App(connector=connector)


_STALLED = """
  FROM procrastinate.procrastinate_jobs j
 WHERE status = 'doing'
   AND NOT EXISTS (SELECT FROM procrastinate.procrastinate_workers w
                    WHERE w.id = j.worker_id
                      AND w.last_heartbeat > clock_timestamp() - make_interval(secs => :silent))
"""


def has_stalled(session: Session) -> bool:
    """True when a worker was lost with a job in its hands."""
    return bool(session.scalar(text(f"SELECT EXISTS (SELECT {_STALLED})"), {"silent": SILENT_SECONDS}))


def retry_stalled(session: Session) -> int:
    """Ask again for what lost workers had in hand, each job once; returns how many were lost."""
    session.execute(text("SET LOCAL search_path = procrastinate"))
    lost = session.scalars(text(f"DELETE {_STALLED} RETURNING task_name"), {"silent": SILENT_SECONDS}).all()
    session.execute(text("SET LOCAL search_path = public"))
    ask(session, sorted(set(lost)))
    return len(lost)


def ask(session: Session, names: Sequence[str]) -> int:
    """Put a request for each of these jobs into the queue; returns how many are new: one that waits is enough."""
    session.execute(text("SET LOCAL search_path = procrastinate"))
    made = session.scalars(
        text(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock)"
            " SELECT :queue, name, name FROM unnest(CAST(:names AS text[])) AS name"
            " ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING RETURNING id"
        ),
        {"queue": NAME, "names": list(names)},
    ).all()
    session.execute(text("SET LOCAL search_path = public"))
    return len(made)
