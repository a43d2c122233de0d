"""What a lost worker had in its hands is asked for again, by whoever is left."""

from sqlalchemy import text

from nudgepay.automation.queue import has_stalled, retry_stalled
from nudgepay.db import Database
from nudges.books import rows

JOBS = "SELECT task_name, status::text, worker_id FROM procrastinate.procrastinate_jobs ORDER BY task_name, status"


def insert(db: Database, name: str, status: str, worker: int | None = None) -> None:
    with db.transaction() as session:
        session.execute(text("SET LOCAL search_path = procrastinate"))
        session.execute(
            text(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, status, worker_id)"
                " VALUES ('jobs', CAST(:name AS text), CAST(:name AS text), CAST(:status AS procrastinate_job_status), :worker)"
            ),
            {"name": name, "status": status, "worker": worker},
        )


def register(db: Database, *, silent_seconds: int) -> int:
    with db.transaction() as session:
        return session.scalars(
            text(
                "INSERT INTO procrastinate.procrastinate_workers (last_heartbeat)"
                " VALUES (now() - make_interval(secs => :silent)) RETURNING id"
            ),
            {"silent": silent_seconds},
        ).one()


def test_jobs_of_lost_workers_wait_again_and_those_of_living_ones_are_left_alone(db: Database) -> None:
    dead, alive = register(db, silent_seconds=300), register(db, silent_seconds=5)
    insert(db, "apply_events", "doing", dead)
    insert(db, "nudge_pass", "doing", dead)
    insert(db, "nudge_pass", "doing", None)
    insert(db, "nudge_pass", "todo")
    insert(db, "stripe_sweep", "doing", alive)
    with db.transaction() as session:
        assert has_stalled(session)
        assert retry_stalled(session) == 3
        assert not has_stalled(session)
    assert [tuple(row) for row in rows(db, JOBS)] == [
        ("apply_events", "todo", None),
        ("nudge_pass", "todo", None),
        ("stripe_sweep", "doing", alive),
    ]


def test_nothing_is_done_while_nobody_is_lost(db: Database) -> None:
    with db.transaction() as session:
        assert not has_stalled(session)
        assert retry_stalled(session) == 0
        assert session.scalar(text("SELECT count(*) FROM invoices")) == 0
