"""The release before and this one work side by side on one database; and the one before runs on this schema."""

import contextlib
import os
import subprocess
import sys
import tarfile
import time
import tomllib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import text

from automation.processes import hint
from faults.harness import PROOF, all_accepted, measured, tally, wait_until
from faults.products import Poster, environment, serving, working
from nudgepay.db import Database
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudgepay.schema_lifecycle.migrate import migrate
from nudges.books import due_clients, rows, value

ROOT = Path(__file__).parents[2]
CLIENTS = 300 if PROOF else 24
pytestmark = [pytest.mark.fault, pytest.mark.timeout(600 if PROOF else 120)]


RELEASE = tomllib.loads((ROOT / "docs" / "releases.toml").read_text())["release"][-1]
ARCHIVE = ROOT / "tests" / "releases" / f"nudgepay-{RELEASE['version']}.tar.gz"


@pytest.fixture
def before(tmp_path: Path) -> str:
    """PYTHONPATH of the release before: its own source and migrations, this environment's packages."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path / "before", filter="data")
    return os.pathsep.join([str(tmp_path / "before" / "src"), *sys.path])


def test_workers_and_web_processes_of_both_releases_share_the_work(
    db: Database, database_url: str, tmp_path: Path, before: str, figures: Callable[..., None]
) -> None:
    """As a release is rolled out: the old processes run, the schema moves on under them, the new ones begin."""
    migrate(db, RELEASE["schema_head"])
    homes = {"old": tmp_path / "old", "new": tmp_path / "new"}
    for home in homes.values():
        home.mkdir()
    with (
        SmtpSink(tmp_path / "journal.jsonl", on_kept=lambda _: time.sleep(0.05)) as sink,
        working(database_url, homes["old"], sink_port=sink.port, journal=sink.journal, PYTHONPATH=before) as old,
        serving(database_url, homes["old"], PYTHONPATH=before) as old_site,
        Poster(old_site, prefix="old_") as old_poster,
        rolled_out(db),
        working(database_url, homes["new"], sink_port=sink.port, journal=sink.journal) as new,
        serving(database_url, homes["new"]) as new_site,
        Poster(new_site, prefix="new_") as new_poster,
    ):
        wait_until(lambda: value(db, "SELECT count(*) FROM procrastinate.procrastinate_workers") == 2)
        with db.transaction() as session:
            session.execute(text("SET LOCAL search_path = procrastinate"))
            session.execute(
                text(
                    "INSERT INTO procrastinate.procrastinate_jobs (queue_name, task_name) VALUES ('jobs', 'of_later')"
                )
            )
        wait_until(
            lambda: not rows(db, "SELECT 1 FROM procrastinate.procrastinate_jobs WHERE task_name = 'of_later'")
        )
        for _ in range(4):
            _hint(db)
        wait_until(lambda: all_accepted(db) or _hint(db), seconds=200)
        wait_until(lambda: min(len(new_poster.acked), len(old_poster.acked)) > 20)
        assert new.poll() is None
        assert old.poll() is None
        read_from = _read_from(old.pid)
    found = tally(db, sink.journal)
    stored = {row.event_id for row in rows(db, "SELECT event_id FROM stripe_events")}
    failed = rows(db, "SELECT name, outcome FROM ledger_entries WHERE outcome NOT IN ('done', 'busy')")
    events = len(new_poster.acked) + len(old_poster.acked)
    figures("two releases", **measured("two releases", found, events=events, failed_jobs=len(failed)))
    assert str(tmp_path / "before") in read_from, "it was the old code that ran"
    assert (found.lost, found.duplicate, found.unexpected, found.unknown) == (0, 0, 0, 0)
    assert (new_poster.acked | old_poster.acked) <= stored
    assert (set(new_poster.statuses), set(old_poster.statuses)) == ({200}, {200})
    assert failed == []


def _read_from(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text().split("PYTHONPATH=")[1].split("\0")[0].split(os.pathsep)[0]


def test_the_release_before_refuses_to_begin_on_a_schema_that_it_does_not_know(
    db: Database, database_url: str, tmp_path: Path, before: str
) -> None:
    """0.1.0 asks for its very own schema. From the release after it on, a schema says which code it serves."""
    given = environment(database_url, tmp_path, PYTHONPATH=before)
    command = [sys.executable, "-m", "nudgepay.cli", "nudge", "run"]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert done.returncode == 3
    assert "this code needs 0002" in done.stderr


@contextlib.contextmanager
def rolled_out(db: Database) -> Iterator[None]:
    """The schema of this release, and work that is due on it."""
    wait_until(lambda: value(db, "SELECT count(*) FROM procrastinate.procrastinate_workers") == 1)
    migrate(db)
    due_clients(db, CLIENTS)
    yield


def test_the_archive_is_the_release() -> None:
    """Where the history is at hand: the stored source is that of the commit that the release names."""
    made = subprocess.run(
        ["git", "archive", "--format=tar", RELEASE["commit"], "src", "migrations"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    kept = files_of(ARCHIVE.read_bytes())
    assert len(kept) > 150
    if made.returncode == 0:
        assert kept == files_of(made.stdout)


def files_of(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=BytesIO(archive)) as opened:
        return {one.name: opened.extractfile(one).read() for one in opened if one.isfile()}


def _hint(db: Database) -> bool:
    hint(db, "nudge_pass")
    time.sleep(0.3)
    return False
