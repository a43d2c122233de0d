"""The release before and this one work side by side on one database; and the one before runs on this schema."""

import os
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import text

from automation.processes import hint
from faults.harness import PROOF, all_accepted, measured, tally, wait_until
from faults.products import Poster, environment, serving, working
from nudgepay.db import Database
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudges.books import due_clients, rows, value

ROOT = Path(__file__).parents[2]
CLIENTS = 300 if PROOF else 24
pytestmark = [pytest.mark.fault, pytest.mark.timeout(600 if PROOF else 120)]


@pytest.fixture
def before(tmp_path: Path) -> str:
    """PYTHONPATH of the release before: its own source and migrations, this environment's packages."""
    release = tomllib.loads((ROOT / "docs" / "releases.toml").read_text())["release"][-1]
    git = shutil.which("git")
    made = git and subprocess.run(
        [git, "archive", release["commit"], "src", "migrations"], cwd=ROOT, capture_output=True, check=False
    )
    if not made or made.returncode:
        pytest.skip(f"the commit {release['commit']} of release {release['version']} is not here: no git history")
    with tarfile.open(fileobj=BytesIO(made.stdout)) as archive:
        archive.extractall(tmp_path / "before", filter="data")
    return os.pathsep.join([str(tmp_path / "before" / "src"), *sys.path])


def test_workers_and_web_processes_of_both_releases_share_the_work(
    db: Database, database_url: str, tmp_path: Path, before: str, figures: Callable[..., None]
) -> None:
    due_clients(db, CLIENTS)
    homes = {"old": tmp_path / "old", "new": tmp_path / "new"}
    for home in homes.values():
        home.mkdir()
    with (
        SmtpSink(tmp_path / "journal.jsonl", on_kept=lambda _: time.sleep(0.05)) as sink,
        working(database_url, homes["new"], sink_port=sink.port, journal=sink.journal) as new,
        working(database_url, homes["old"], sink_port=sink.port, journal=sink.journal, PYTHONPATH=before) as old,
        serving(database_url, homes["new"]) as new_site,
        serving(database_url, homes["old"], PYTHONPATH=before) as old_site,
        Poster(new_site, prefix="new_") as new_poster,
        Poster(old_site, prefix="old_") as old_poster,
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


def test_the_release_before_works_on_this_schema(
    db: Database, database_url: str, tmp_path: Path, before: str
) -> None:
    due_clients(db, 3)

    def old(*arguments: str) -> subprocess.CompletedProcess[str]:
        given = environment(database_url, tmp_path, PYTHONPATH=before)
        command = [sys.executable, "-m", "nudgepay.cli", *arguments]
        return subprocess.run(
            command, env=given, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path
        )

    where = [sys.executable, "-c", "import nudgepay; print(nudgepay.__file__)"]
    shown = subprocess.run(where, env={"PYTHONPATH": before}, capture_output=True, text=True, check=True)
    assert shown.stdout.startswith(str(tmp_path / "before"))
    sent = old("nudge", "run", "--json", "--now", "2026-03-02T09:00:00Z")
    assert (sent.returncode, value(db, "SELECT count(*) FROM letters WHERE state = 'accepted'")) == (0, 3), (
        sent.stderr
    )
    for command in (["jobs", "run", "apply_events"], ["jobs", "run", "stripe_sweep"], ["jobs", "run", "retention"]):
        done = old(*command)
        assert done.returncode == 0, done.stderr
    again = old("nudge", "run", "--json", "--now", "2026-03-02T10:00:00Z")
    assert (again.returncode, value(db, "SELECT count(*) FROM letters")) == (0, 3), again.stderr


def _hint(db: Database) -> bool:
    hint(db, "nudge_pass")
    time.sleep(0.3)
    return False
