"""The cut-over drill: green on a sound product and file, red when one of its promises is broken."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.invoices.importing.rows import Defaults
from nudgepay.nudges.switch import resume_sending
from nudgepay.payments.importing import ImportReport, run_import
from nudgepay.readiness.cutover import Rehearsal, Stage, rehearse_cutover
from nudges.books import MONDAY

HEAD = "client_name,client_email,client_country,invoice_number,due_on,currency,amount,amount_paid\n"
FILE = HEAD + "".join(
    f"Client {n % 7},c{n % 7}@client.example,DE,A-{n},2026-0{2 + n % 2}-{10 + n % 15},EUR,{100 + n}.00,{n % 3}.00\n"
    for n in range(40)
)
DEFAULTS = Defaults("en", "Europe/Berlin", "DE")


def loading(content: str = FILE, *, release: bool = False) -> Callable[[Database], ImportReport]:
    def load(db: Database) -> ImportReport:
        return run_import(db, content.encode(), defaults=DEFAULTS, now=MONDAY, actor="t", release=release)

    return load


@pytest.fixture
def drill(db: Database, settings: Settings, tmp_path: Path) -> Callable[..., list[Stage]]:
    def run(load: Callable[[Database], ImportReport] | None = None, **changes: object) -> list[Stage]:
        own = settings.model_copy(update={"copy_first_letters": 3, "admin_email": "me@atelier.example"} | changes)
        rehearsal = Rehearsal(db, own, tmp_path / "letters", load or loading(), MONDAY)
        return list(rehearse_cutover(rehearsal))

    return run


def test_a_sound_cut_over_passes_every_stage(drill: Callable[..., list[Stage]]) -> None:
    stages = {stage.name: stage for stage in drill()}
    assert {name: stage.ok for name, stage in stages.items() if not stage.ok} == {}
    assert list(stages) == [
        "paused",
        "import",
        "import again",
        "amnesty",
        "shadow plan",
        "first letters",
        "release",
        "way back",
    ]
    assert stages["amnesty"].figures["sent"] == 0
    assert stages["amnesty"].figures["waiting"] > 10
    assert stages["first letters"].figures["copied"] == min(3, stages["first letters"].figures["sent"])
    assert stages["release"].figures["sent"] > 0


def test_overdue_invoices_that_do_not_wait_end_the_drill(drill: Callable[..., list[Stage]]) -> None:
    stages = drill(loading(release=True))
    assert (stages[-1].name, stages[-1].ok) == ("amnesty", False)


def test_a_start_that_is_not_paused_ends_the_drill(drill: Callable[..., list[Stage]], db: Database) -> None:
    with db.transaction() as session:
        resume_sending(session, environment="test", actor="t")
    stages = drill()
    assert [(stage.name, stage.ok) for stage in stages] == [("paused", False)]


def test_a_file_with_faults_ends_the_drill_and_names_the_line(drill: Callable[..., list[Stage]]) -> None:
    stages = drill(loading(FILE.replace("2026-02-10", "10/02/2026", 1)))
    assert (stages[-1].name, stages[-1].ok) == ("import", False)
    assert "line" in stages[-1].found
    assert "due_on" in stages[-1].found


def test_an_import_that_changes_things_again_ends_the_drill(drill: Callable[..., list[Stage]]) -> None:
    times = []

    def load(db: Database) -> ImportReport:
        times.append(1)
        return loading(FILE.replace("A-1,", "A-1x,") if len(times) > 1 else FILE)(db)

    stages = drill(load)
    assert (stages[-1].name, stages[-1].ok) == ("import again", False)


def test_the_command_leaves_the_live_books_as_they_are(
    db: Database, settings: Settings, database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "first.csv").write_text(FILE)
    done = subprocess.run(
        [sys.executable, "-m", "nudgepay.cli", "drill", "cutover", str(tmp_path / "first.csv"), "--json"],
        capture_output=True,
        text=True,
        env={
            "ENVIRONMENT": "test",
            "DATABASE_URL": database_url,
            "NUDGEPAY_HOME": str(tmp_path / "home"),
            "PATH": "/usr/bin:/bin",
            "COPY_FIRST_LETTERS": "2",
        },
        check=False,
    )
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"]) == (0, True), done.stderr
    with db.transaction() as session:
        counts = {
            table: session.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in ("clients", "invoices", "letters", "reminders", "mailings", "sending_switch", "audit_events")
        }
        drills = session.execute(text("SELECT kind, name, outcome FROM ledger_entries")).all()
    assert set(counts.values()) == {0}
    assert [tuple(row) for row in drills] == [("drill", "cutover", "done")]
    assert not (tmp_path / "home" / "outbox").exists()
