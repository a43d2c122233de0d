"""A run is written down before and after its work; trouble that lasts is told, and told once."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay import ledger
from nudgepay.automation.context import JobContext
from nudgepay.automation.runner import TOLD_AFTER, run_job, run_job_safely
from nudgepay.automation.schedule import SCHEDULE, Job
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.errors import Busy, OperationalError
from nudgepay.runtime import build_runtime
from nudges.books import MONDAY, rows

Work = Callable[[JobContext], dict[str, Any]]


@pytest.fixture
def context(settings: Settings) -> Iterator[JobContext]:
    runtime = build_runtime(settings)
    yield JobContext(runtime, MONDAY, "test")
    runtime.close()


def job(work: Work, **more: Any) -> Job:
    return Job("probe", "* * * * *", work, "a test", **more)


def raising(error: Exception) -> Work:
    def work(_: JobContext) -> dict[str, Any]:
        raise error

    return work


def open_notices(db: Database) -> list[str]:
    return [row.dedup_key for row in rows(db, "SELECT dedup_key FROM notices WHERE resolved_at IS NULL")]


def test_a_job_writes_its_start_before_its_work_and_its_end_after_it(context: JobContext, db: Database) -> None:
    seen: list[tuple[object, ...]] = []

    def work(_: JobContext) -> dict[str, Any]:
        seen.extend(tuple(row) for row in rows(db, "SELECT name, outcome, ended_at FROM ledger_entries"))
        return {"n": 1}

    assert run_job(job(work), context) == {"n": 1}
    assert seen == [("probe", None, None)]
    (entry,) = rows(db, "SELECT outcome, details, ended_at, actor FROM ledger_entries")
    assert (entry.outcome, entry.details, entry.actor) == ("done", {"n": 1}, "test")
    assert entry.ended_at is not None


def test_a_job_without_work_leaves_no_entry(context: JobContext, db: Database) -> None:
    assert run_job(job(raising(AssertionError()), is_needed=lambda _: False), context) == {}
    assert rows(db, "SELECT 1 FROM ledger_entries") == []


def test_a_bug_is_written_down_and_told_at_once_until_the_job_goes_well(context: JobContext, db: Database) -> None:
    assert not run_job_safely(job(raising(ZeroDivisionError())), context)
    (entry,) = rows(db, "SELECT outcome, details FROM ledger_entries")
    assert (entry.outcome, entry.details) == ("failed", {"error": "ZeroDivisionError"})
    assert open_notices(db) == ["job.failed:probe"]
    assert run_job_safely(job(lambda _: {}), context)
    assert open_notices(db) == []


def test_trouble_outside_is_told_when_it_lasts(context: JobContext, db: Database) -> None:
    troubled = job(raising(OperationalError("the relay is away")))
    for _ in range(TOLD_AFTER - 1):
        assert not run_job_safely(troubled, context)
    assert open_notices(db) == []
    run_job_safely(job(lambda _: {}), context)
    for _ in range(TOLD_AFTER - 1):
        run_job_safely(troubled, context)
    assert open_notices(db) == []
    for _ in range(3):
        run_job_safely(troubled, context)
    assert open_notices(db) == ["job.failed:probe"]


def test_a_job_that_somebody_else_does_is_busy_and_no_failure(context: JobContext, db: Database) -> None:
    busy = job(raising(Busy("another pass is running")))
    assert run_job_safely(busy, context)
    with pytest.raises(Busy):
        run_job(busy, context)
    assert {row.outcome for row in rows(db, "SELECT outcome FROM ledger_entries")} == {"busy"}
    assert open_notices(db) == []


def test_every_job_of_the_schedule_runs_on_an_empty_installation(context: JobContext, db: Database) -> None:
    for one in SCHEDULE:
        assert run_job_safely(one, context), one.name
    assert {row.outcome for row in rows(db, "SELECT outcome FROM ledger_entries")} == {"done"}


def test_a_run_that_never_ended_is_told_once_for_each_job(db: Database, context: JobContext) -> None:
    with db.transaction() as session:
        session.execute(
            text(
                "INSERT INTO ledger_entries (kind, name, actor, started_at) SELECT 'job', 'probe', 'x',"
                " now() - make_interval(mins => minutes) FROM unnest(ARRAY[300, 120, 10]) AS minutes"
            )
        )
    with db.transaction() as session:
        assert ledger.flag_abandoned(session) == 2
        assert ledger.flag_abandoned(session) == 0
    assert open_notices(db) == ["job.abandoned:probe"]
    assert [row.ended_at for row in rows(db, "SELECT ended_at FROM ledger_entries WHERE outcome = 'abandoned'")] == [
        None,
        None,
    ]
    run_job(job(lambda _: {}), context)
    assert open_notices(db) == []


def test_only_routine_runs_of_long_ago_are_forgotten(db: Database) -> None:
    with db.transaction() as session:
        session.execute(
            text(
                "INSERT INTO ledger_entries (kind, name, actor, started_at, outcome)"
                " SELECT kind, 'probe', 'x', now() - make_interval(days => days), outcome"
                "   FROM unnest(ARRAY['job', 'drill']) AS kind, unnest(ARRAY[89, 91]) AS days,"
                "        unnest(ARRAY['done', 'failed']) AS outcome"
            )
        )
        assert ledger.forget_routine(session, days=90, most=10) == 1
        assert ledger.forget_routine(session, days=90, most=10) == 0
