"""The worker is a clock: it carries no truth, and losing or doubling its rows costs latency only."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from sqlalchemy import text

from nudgepay import ledger
from nudgepay.automation.context import JobContext
from nudgepay.automation.runner import run_job, run_job_safely
from nudgepay.automation.schedule import SCHEDULE, Job, job_named
from nudgepay.automation.worker import wake_worker
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.runtime import build_runtime
from nudges.books import MONDAY, due_clients, rows


def start_worker(settings: Settings, home: Path) -> subprocess.Popen[bytes]:
    environment = {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": "test",
        "DATABASE_URL": settings.secret("database_url") or "",
        "NUDGEPAY_HOME": str(home),
        "METRICS_PORT": "0",
        "SENDING_HOURS": "00:00-23:59",
        "FROM_EMAIL": "billing@atelier.example",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "nudgepay.cli", "worker"], env=environment, stderr=subprocess.DEVNULL
    )


def wait_for(db: Database, query: str, *, seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if rows(db, query):
            return True
        threading.Event().wait(0.2)
    return False


def test_a_worker_runs_a_job_that_is_asked_for_and_stops_on_sigterm(
    db: Database, settings: Settings, tmp_path: Path
) -> None:
    worker = start_worker(settings, tmp_path)
    try:
        assert wake_worker(settings.secret("database_url") or "", "flag_abandoned")
        assert wait_for(db, "SELECT 1 FROM ledger_entries WHERE name = 'flag_abandoned' AND outcome = 'done'")
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0


def test_two_workers_send_each_letter_once_although_one_is_killed_and_its_queue_emptied(
    db: Database, settings: Settings, tmp_path: Path
) -> None:
    due_clients(db, 12)
    with db.transaction() as session:
        session.execute(text("UPDATE invoices SET due_on = current_date - 7, next_at = now()"))
        session.execute(text("UPDATE clients SET country = 'XX', timezone = 'UTC'"))
    url = settings.secret("database_url") or ""
    first, second = start_worker(settings, tmp_path), start_worker(settings, tmp_path)
    try:
        wake_worker(url, "nudge_pass")
        threading.Event().wait(1.0)
        first.kill()
        with db.transaction() as session:
            session.execute(text("TRUNCATE procrastinate.procrastinate_jobs CASCADE"))
        wake_worker(url, "nudge_pass")
        done = wait_for(
            db, "SELECT 1 FROM letters HAVING count(*) FILTER (WHERE state = 'accepted') >= 12", seconds=75
        )
    finally:
        second.send_signal(signal.SIGTERM)
        second.wait(20)
        first.wait(5)
    files = list((tmp_path / "outbox").glob("*.eml"))
    weekend = rows(db, "SELECT 1 WHERE extract(isodow FROM now() AT TIME ZONE 'UTC') > 5")
    print(f"workers: n=12 files={len(files)} done={done}")
    if weekend:
        assert not files
    else:
        assert done
        assert len(files) == 12


def test_a_job_writes_its_start_before_its_work_and_its_end_after_it(settings: Settings, db: Database) -> None:
    seen: list[tuple[object, ...]] = []

    def work(job: JobContext) -> dict[str, object]:
        seen.extend(tuple(row) for row in rows(db, "SELECT name, outcome, ended_at FROM ledger_entries"))
        return {"n": 1}

    runtime = build_runtime(settings)
    run_job(Job("probe", "* * * * *", work, "a test"), JobContext(runtime, MONDAY, "test"))
    runtime.close()
    assert seen == [("probe", None, None)]
    (entry,) = rows(db, "SELECT outcome, details, ended_at FROM ledger_entries")
    assert (entry.outcome, entry.details) == ("done", {"n": 1})


def test_a_job_that_breaks_is_written_down_and_does_not_end_the_worker(settings: Settings, db: Database) -> None:
    def work(job: JobContext) -> dict[str, object]:
        raise ZeroDivisionError

    runtime = build_runtime(settings)
    assert not run_job_safely(Job("broken", "* * * * *", work, "a test"), JobContext(runtime, MONDAY, "test"))
    runtime.close()
    (entry,) = rows(db, "SELECT outcome, details FROM ledger_entries")
    assert (entry.outcome, entry.details) == ("failed", {"error": "ZeroDivisionError"})


def test_every_job_of_the_schedule_runs_on_an_empty_installation(settings: Settings) -> None:
    runtime = build_runtime(settings)
    for job in SCHEDULE:
        run_job(job, JobContext(runtime, MONDAY, "test"))
    runtime.close()
    assert job_named("nudge_pass") in SCHEDULE


def test_a_run_that_never_ended_is_told(db: Database) -> None:
    with db.transaction() as session:
        session.execute(
            text(
                "INSERT INTO ledger_entries (kind, name, actor, started_at)"
                " VALUES ('job', 'nudge_pass', 'x', now() - interval '2 hours')"
            )
        )
    with db.transaction() as session:
        assert ledger.flag_abandoned(session) == 1
    assert [row.kind for row in rows(db, "SELECT kind FROM notices")] == ["job.abandoned"]
