"""The worker is a clock: it carries no truth, and losing or doubling its rows costs latency only."""

import asyncio
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from automation.processes import hint, runs_done, start_worker, wait_for
from nudgepay import clock
from nudgepay.automation import worker as worker_module
from nudgepay.config import Settings
from nudgepay.db import Database
from nudges.books import MONDAY, due_clients, rows, states


def cut_every_connection(db: Database) -> int:
    query = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with db.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        return session.scalar(text(query)) or 0


def test_a_worker_follows_hints_outlives_a_lost_database_and_stops_on_sigterm(
    db: Database, settings: Settings, tmp_path: Path
) -> None:
    worker = start_worker(settings, tmp_path)
    try:
        assert wait_for(lambda: runs_done(db, "retention"), meanwhile=lambda: hint(db, "retention"))
        done = runs_done(db, "retention")
        assert cut_every_connection(db) >= 2
        assert wait_for(lambda: runs_done(db, "retention") > done, meanwhile=lambda: hint(db, "retention"))
        assert worker.poll() is None
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0


def test_two_workers_send_each_letter_once_although_one_is_killed_and_their_queue_is_emptied(
    db: Database, settings: Settings, tmp_path: Path, figures: Callable[..., None]
) -> None:
    due_clients(db, 60)
    lease = {"SENDING_LEASE_SECONDS": "2"}
    first, second = (start_worker(settings, tmp_path, **lease) for _ in range(2))
    try:
        assert wait_for(lambda: states(db, "letters").get("accepted"))
        first.kill()
        with db.transaction() as session:
            session.execute(text("SET LOCAL ROLE NONE"))
            session.execute(text("TRUNCATE procrastinate.procrastinate_jobs CASCADE"))
        settled = wait_for(
            lambda: states(db).keys() == {"accepted", "skipped"}, seconds=75, meanwhile=lambda: hint(db, "nudge_pass")
        )
    finally:
        second.send_signal(signal.SIGTERM)
        assert second.wait(20) == 0
        first.wait(5)
    letters = [path.read_bytes() for path in (tmp_path / "outbox").glob("*.eml")]
    recipients = {line for letter in letters for line in letter.splitlines() if line.startswith(b"To: ")}
    figures("two workers, one killed", n=60, letters=len(letters), recipients=len(recipients))
    assert settled
    assert states(db)["accepted"] == 60
    assert len(letters) == len(recipients) == 60


def test_a_worker_whose_job_does_not_end_leaves_when_its_time_is_over(
    db: Database, settings: Settings, tmp_path: Path
) -> None:
    worker = start_worker(settings, tmp_path, "stuck", WORKER_STOP_SECONDS="1")
    try:
        assert wait_for(lambda: rows(db, "SELECT 1 FROM ledger_entries WHERE name = 'stuck'"))
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == worker_module.GAVE_UP
    assert rows(db, "SELECT DISTINCT ended_at, outcome FROM ledger_entries") == [(None, None)]


def test_a_clock_that_jumps_back_begins_a_new_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "CLOCK_LOOK_SECONDS", 0.01)
    shift = timedelta()
    began = clock.monotonic()
    monkeypatch.setattr(clock, "now", lambda: MONDAY + timedelta(seconds=clock.monotonic() - began) + shift)

    async def watch() -> None:
        nonlocal shift
        watching = asyncio.create_task(worker_module._watch_the_clock())
        await asyncio.sleep(0.1)
        assert not watching.done()
        shift = timedelta(hours=-1)
        await asyncio.wait_for(watching, 5)

    asyncio.run(watch())
