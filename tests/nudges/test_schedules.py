"""Schedules: versioned, shown before they are saved, and never a reason to repeat a letter."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy import text
from typer.testing import CliRunner

from nudgepay.cli.main import app
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.errors import NotFound
from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.differences import ScheduleDiff, diff_schedule
from nudgepay.nudges.facts import Rules, Step
from nudgepay.nudges.preview import Span, foresee
from nudgepay.nudges.schedule_text import ScheduleError, parse_schedule, schedule_document
from nudgepay.nudges.schedules import current_schedule, ensure_steps, next_version, save_schedule
from nudgepay.nudges.sending import run_sending
from nudgepay.nudges.terms import terms_of
from nudges.books import make_client, make_invoice, outbox_of, plan_all, rows, value
from nudges.builders import STEPS

NOW = datetime(2026, 3, 13, 9, 0, tzinfo=UTC)
"""Friday 10:00 in Berlin, three days after the due date."""
DUE_ON = date(2026, 3, 10)
LATER = (*STEPS[:3], Step("+10", "due_on", 10, False, "final", "final"))


def span(days: int = 60) -> Span:
    return Span(Rules(), WorkCalendar(), NOW, NOW + timedelta(days=days))


def save(db: Database, steps: tuple[Step, ...], name: str = "default", now: datetime = NOW) -> int:
    with db.transaction() as session:
        return save_schedule(session, name, steps, now=now, actor="test").version


def difference(db: Database, steps: tuple[Step, ...], name: str = "default") -> ScheduleDiff:
    with db.transaction() as session:
        return diff_schedule(session, name, steps, version=next_version(session), span=span())


def send(db: Database, settings: Settings, now: datetime) -> list[tuple[str, int]]:
    """One real pass; the steps that have left so far, with their versions."""
    plan_all(db, now=now)
    run_sending(db, transport=outbox_of(settings), terms=terms_of(settings), now=now)
    return [tuple(row) for row in rows(db, "SELECT step, schedule_version FROM reminders WHERE state = 'accepted'")]


def test_saving_makes_a_new_version_and_leaves_the_old_one_as_it_was(db: Database) -> None:
    assert save(db, LATER) == 2
    with db.transaction() as session:
        assert current_schedule(session, "default").steps == LATER
        with pytest.raises(NotFound, match="schedules list"):
            current_schedule(session, "gentle")
    old = rows(
        db,
        "SELECT code FROM schedule_steps s JOIN schedules v ON v.id = s.schedule_id WHERE version = 1"
        " ORDER BY position",
    )
    assert [row.code for row in old] == ["T-3", "DUE", "+3", "+7"]
    assert value(db, "SELECT actor FROM audit_events WHERE action = 'schedule.save'") == "test"


def test_a_version_number_names_one_schedule(db: Database) -> None:
    assert [save(db, LATER, "gentle"), save(db, LATER), save(db, STEPS, "gentle")] == [2, 3, 4]


def test_saving_wakes_the_open_invoices_that_follow_it_and_no_others(db: Database) -> None:
    client_id, other = make_client(db, "ada"), make_client(db, "bo")
    for owner, number in ((client_id, "A-1"), (client_id, "A-2"), (client_id, "A-3"), (other, "B-1")):
        make_invoice(db, owner, number, due_on=DUE_ON)
    with db.transaction() as session:
        session.execute(text("UPDATE invoices SET next_at = NULL"))
        session.execute(text("UPDATE clients SET schedule_name = 'gentle' WHERE id = :id"), {"id": client_id})
        session.execute(text("UPDATE invoices SET schedule_name = 'default' WHERE number = 'A-2'"))
        session.execute(text("UPDATE invoices SET status = 'void' WHERE number = 'A-3'"))
    save(db, LATER, "gentle")
    assert [row.number for row in rows(db, "SELECT number FROM invoices WHERE next_at = :now", now=NOW)] == ["A-1"]


def test_the_difference_is_shown_for_every_open_invoice_before_anything_is_saved(db: Database) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1", due_on=DUE_ON)
    make_invoice(db, client_id, "A-2", due_on=DUE_ON + timedelta(days=60))
    found = difference(db, LATER)
    assert found.followers == 2
    assert [(change.invoice, change.gone, change.new) for change in found.changes] == [
        (
            "A-1",
            (("+7", datetime(2026, 3, 17, 8, 0, tzinfo=UTC)),),
            (("+10", datetime(2026, 3, 20, 8, 0, tzinfo=UTC)),),
        )
    ]
    assert value(db, "SELECT count(*) FROM schedules") == 1
    assert difference(db, STEPS).changes == ()


def test_the_difference_of_a_schedule_that_does_not_exist_yet_covers_who_already_asks_for_it(db: Database) -> None:
    make_invoice(db, make_client(db), "A-1", due_on=DUE_ON)
    assert difference(db, LATER, "gentle").followers == 0
    with db.transaction() as session:
        session.execute(text("UPDATE invoices SET schedule_name = 'gentle'"))
    assert [change.invoice for change in difference(db, LATER, "gentle").changes] == ["A-1"]


def test_every_open_invoice_follows_the_new_version_and_no_sent_step_is_repeated(
    db: Database, settings: Settings
) -> None:
    make_invoice(db, make_client(db), "A-1", due_on=DUE_ON, now=NOW)
    assert send(db, settings, NOW) == [("+3", 1)]
    with db.transaction() as session:
        changes = diff_schedule(session, "default", LATER, version=next_version(session), span=span())
    save(db, LATER)
    assert send(db, settings, NOW) == [("+3", 1)]
    assert send(db, settings, datetime(2026, 3, 17, 9, 0, tzinfo=UTC)) == [("+3", 1)]
    assert send(db, settings, datetime(2026, 3, 20, 9, 0, tzinfo=UTC)) == [("+3", 1), ("+10", 2)]
    assert [step for step, _ in changes.changes[0].new] == ["+10"]


def test_a_step_taken_out_of_the_schedule_still_counts_for_those_before_it(db: Database, settings: Settings) -> None:
    make_invoice(db, make_client(db), "A-1", due_on=DUE_ON, now=NOW)
    assert send(db, settings, datetime(2026, 3, 17, 9, 0, tzinfo=UTC)) == [("+7", 1)]
    save(db, STEPS[:3], now=datetime(2026, 3, 18, 9, 0, tzinfo=UTC))
    assert send(db, settings, datetime(2026, 3, 24, 9, 0, tzinfo=UTC)) == [("+7", 1)]
    assert value(db, "SELECT count(*) FROM reminders WHERE state = 'planned'") == 0


def test_the_preview_lists_what_goes_and_what_does_not(db: Database) -> None:
    make_invoice(db, make_client(db), "A-1", due_on=DUE_ON)
    with db.transaction() as session:
        lines = [line.decision for line in foresee(session, span())]
    assert [(one.step, one.action, one.reason) for one in lines] == [
        ("T-3", "skip", "superseded"),
        ("DUE", "skip", "superseded"),
        ("+3", "send", None),
        ("+7", "send", None),
    ]


def test_an_impossible_record_does_not_hide_the_others_plan(db: Database) -> None:
    make_invoice(db, make_client(db, "bad"), "BAD", due_on=DUE_ON)
    with db.transaction() as session:
        session.execute(text("UPDATE clients SET timezone = 'Mars/Olympus'"))
    make_invoice(db, make_client(db, "ada"), "A-1", due_on=DUE_ON)
    with db.transaction() as session:
        lines = [(line.invoice, line.decision.action, line.decision.reason) for line in foresee(session, span())]
    assert ("BAD", "hold", "template_error") in lines
    assert ("A-1", "send", None) in lines


def test_a_schedule_reads_back_as_it_was_written() -> None:
    careful = (replace(STEPS[0], review=True, minimum_remaining=500, business_days=True), *STEPS[1:])
    assert parse_schedule(json.dumps(schedule_document(careful))) == careful


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("{", "no JSON"),
        ("{}", "JSON list"),
        ('[{"code": "+3"}]', "needs a code and offset_days"),
        ('[{"code": "+3", "offset_days": true}]', "offset_days must be int"),
        ('[{"code": "+3", "offset_days": 3.5}]', "offset_days must be int"),
        ('[{"code": "+3", "offset_days": 3, "colour": "red"}]', "'colour' is no field"),
        ('[{"code": "+3", "offset_days": 3, "anchor": "easter"}]', "anchor must be one of"),
        ("[]", "1 to 30 steps"),
        ('[{"code": "+3", "offset_days": 3}, {"code": "+3", "offset_days": 4}]', "appears twice"),
        ('[{"code": "manual", "offset_days": 3}]', "belongs to nudges"),
        ('[{"code": "a b", "offset_days": 3}]', "a code is"),
        ('[{"code": "+3", "offset_days": 3, "template": "ode"}]', "template must be one of"),
        ('[{"code": "+3", "offset_days": 400}]', "within a year"),
        ('[{"code": "+3", "offset_days": 3, "minimum_remaining": -1}]', "minimum_remaining"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_with_its_cure(document: str, complaint: str) -> None:
    with pytest.raises(ScheduleError, match=complaint):
        ensure_steps(parse_schedule(document))


@pytest.fixture
def log_as_before() -> Iterator[None]:
    """The command line points the log at its own standard error."""
    root = logging.getLogger()
    handlers, structure = root.handlers[:], structlog.get_config()
    yield
    root.handlers[:] = handlers
    structlog.configure(**structure)


@pytest.mark.usefixtures("log_as_before")
def test_the_command_line_shows_compares_and_saves(
    db: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "test")
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("NUDGEPAY_HOME", str(tmp_path))
    make_invoice(db, make_client(db), "A-1", due_on=DUE_ON)

    def run(*arguments: str) -> str:
        answer = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        return answer.stdout

    document = json.loads(run("schedules", "show", "--json"))
    assert [step["code"] for step in document] == ["T-3", "DUE", "+3", "+7"]
    document[-1] |= {"code": "+10", "offset_days": 10}
    file = tmp_path / "later.json"
    file.write_text(json.dumps(document))
    found = json.loads(run("schedules", "diff", "default", str(file), "--now", NOW.isoformat(), "--json"))
    assert [change["new"] for change in found["changes"]] == [[{"step": "+10", "at": "2026-03-20T08:00:00+00:00"}]]
    assert "version 2" in run("schedules", "save", "default", str(file), "--yes")
    assert [one["version"] for one in json.loads(run("schedules", "list", "--json"))] == [2]
    lines = json.loads(run("plan", "--now", NOW.isoformat(), "--client", "ada", "--json"))
    assert [(line["invoice"], line["client"], line["step"], line["action"], line["reason"]) for line in lines] == [
        ("A-1", "Ada", "T-3", "skip", "superseded"),
        ("A-1", "Ada", "DUE", "skip", "superseded"),
        ("A-1", "Ada", "+3", "send", None),
        ("A-1", "Ada", "+10", "send", None),
    ]
    assert lines[2]["at"] == "2026-03-13T09:00:00+00:00"
    assert "superseded" in run("plan", "--now", NOW.isoformat())
    assert value(db, "SELECT count(*) FROM reminders") == 0
