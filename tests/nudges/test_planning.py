"""The planning pass on real rows: every due step once, nothing lost, nobody waited for."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.invoices.actions import close_invoice, wake
from nudgepay.invoices.queries import invoice_by_number, lock_client
from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.planning import run_planning
from nudges.books import make_client, make_invoice, rows, value

CALENDAR = WorkCalendar()
TUESDAY = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
"""Nine in the morning in Berlin, on the due date."""
DUE_ON = date(2026, 3, 10)


def plan(db: Database, now: datetime = TUESDAY, **options: int) -> tuple[int, int, int]:
    counts = run_planning(db, now=now, calendar=CALENDAR, **options)
    return counts.invoices, counts.planned, counts.failed


def planned_steps(db: Database) -> list[tuple[str, datetime, datetime]]:
    found = rows(db, "SELECT step, due_at, look_at FROM reminders WHERE state = 'planned' ORDER BY due_at")
    return [tuple(row) for row in found]


def change(db: Database, statement: str, **values: object) -> None:
    with db.transaction() as session:
        session.execute(text(statement), values)


def one_invoice(db: Database, number: str = "A-1", **changes: object) -> int:
    return make_invoice(db, make_client(db, number.lower()), number, **{"due_on": DUE_ON, "now": TUESDAY, **changes})


def test_it_writes_every_step_that_has_come_due_and_notes_the_next_instant(db: Database) -> None:
    one_invoice(db)
    assert plan(db) == (1, 2, 0)
    due = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)  # T-3 was a Saturday
    assert planned_steps(db) == [("T-3", due, due), ("DUE", TUESDAY, TUESDAY)]
    assert value(db, "SELECT next_at FROM invoices") == datetime(2026, 3, 13, 8, 0, tzinfo=UTC)


def test_it_plans_nothing_twice(db: Database) -> None:
    one_invoice(db)
    plan(db)
    assert plan(db) == (0, 0, 0)
    change(db, "UPDATE invoices SET next_at = :now", now=TUESDAY)
    assert plan(db) == (1, 0, 0)


def test_it_looks_no_further_once_the_last_step_is_written(db: Database) -> None:
    one_invoice(db)
    later = TUESDAY + timedelta(days=400)
    assert plan(db, later) == (1, 4, 0)
    assert value(db, "SELECT next_at FROM invoices") is None
    assert plan(db, later + timedelta(days=400)) == (0, 0, 0)


def test_four_planners_at_once_write_each_occurrence_once(db: Database, figures: Callable[..., None]) -> None:
    client_id = make_client(db)
    for number in range(200):
        make_invoice(db, client_id, f"A-{number}", due_on=DUE_ON, now=TUESDAY)
    start = threading.Barrier(4)

    def planner() -> None:
        start.wait()
        for _ in range(5):
            plan(db, batch=17)

    threads = [threading.Thread(target=planner) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = value(db, "SELECT count(*) FROM reminders")
    distinct = value(db, "SELECT count(DISTINCT (invoice_id, step)) FROM reminders")
    figures("four planners at once", n=400, lost=400 - distinct, duplicate=written - distinct)
    assert value(db, "SELECT count(*) FROM reminders") == 400
    assert value(db, "SELECT count(DISTINCT (invoice_id, step)) FROM reminders") == 400
    assert value(db, "SELECT count(*) FROM invoices WHERE next_at <= :now", now=TUESDAY) == 0


def test_it_passes_over_a_client_in_other_hands_and_comes_back_to_it(db: Database) -> None:
    one_invoice(db, "A-1")
    held = value(db, "SELECT client_id FROM invoices")
    one_invoice(db, "A-2")
    with db.transaction() as session:
        lock_client(session, held)
        assert plan(db) == (1, 2, 0)
    assert plan(db) == (1, 2, 0)
    assert value(db, "SELECT count(*) FROM reminders") == 4


def test_a_woken_invoice_has_its_waiting_reminders_looked_at_again(db: Database) -> None:
    invoice_id = one_invoice(db)
    plan(db)
    change(db, "UPDATE reminders SET held_reason = 'disputed', look_at = :later", later=TUESDAY + timedelta(days=1))
    noon = TUESDAY + timedelta(hours=4)
    with db.transaction() as session:
        wake(session, now=noon, invoice_ids=[invoice_id])
    plan(db, noon)
    assert {look_at for _, _, look_at in planned_steps(db)} == {noon}


def test_a_closed_invoice_has_its_waiting_reminders_looked_at_once_more(db: Database) -> None:
    one_invoice(db)
    plan(db)
    change(db, "UPDATE reminders SET held_reason = 'disputed', look_at = 'infinity'")
    with db.transaction() as session:
        close_invoice(session, invoice_by_number(session, "A-1"), status="void", now=TUESDAY, actor="test")
    assert plan(db) == (1, 0, 0)
    assert {look_at for _, _, look_at in planned_steps(db)} == {TUESDAY}
    assert value(db, "SELECT next_at FROM invoices") is None


@pytest.mark.parametrize(
    "impossible", ["UPDATE clients SET timezone = 'Mars/Olympus'", "UPDATE invoices SET due_on = '9999-12-31'"]
)
def test_one_impossible_record_is_told_and_stops_nobody_else(db: Database, impossible: str) -> None:
    bad = one_invoice(db, "BAD")
    change(db, impossible)
    for number in range(9):
        one_invoice(db, f"A-{number}")
    assert plan(db) == (10, 18, 1)
    assert value(db, "SELECT details FROM notices WHERE kind = 'planning.failed'") == {"invoice_id": bad}
    assert value(db, "SELECT next_at FROM invoices WHERE id = :id", id=bad) == TUESDAY + timedelta(days=1)


@pytest.mark.parametrize("reason", ["paid", "voided", "credited"])
def test_an_invoice_that_is_open_again_has_its_steps_back(db: Database, reason: str) -> None:
    one_invoice(db)
    plan(db)
    change(db, "UPDATE reminders SET state = 'skipped', reason = :reason", reason=reason)
    change(db, "UPDATE invoices SET next_at = :now", now=TUESDAY)
    assert plan(db) == (1, 2, 0)
    assert [step for step, _, _ in planned_steps(db)] == ["T-3", "DUE"]
    assert value(db, "SELECT count(*) FROM reminders WHERE reason IS NOT NULL") == 0


def test_a_superseded_step_stays_superseded(db: Database) -> None:
    one_invoice(db)
    plan(db)
    change(db, "UPDATE reminders SET state = 'skipped', reason = 'superseded' WHERE step = 'T-3'")
    change(db, "UPDATE invoices SET next_at = :now", now=TUESDAY)
    assert plan(db) == (1, 0, 0)


def test_a_postponed_due_date_brings_the_steps_back_on_their_new_days(db: Database) -> None:
    one_invoice(db)
    plan(db)
    change(db, "UPDATE reminders SET state = 'skipped', reason = 'superseded' WHERE step = 'T-3'")
    change(db, "UPDATE invoices SET due_on = '2026-04-15', next_at = :now", now=TUESDAY)
    assert plan(db) == (1, 0, 0)
    new_day = datetime(2026, 4, 13, 7, 0, tzinfo=UTC)  # T-3 would be a Sunday
    assert value(db, "SELECT next_at FROM invoices") == new_day
    assert plan(db, new_day) == (1, 1, 0)
    assert ("T-3", new_day, new_day) in planned_steps(db)


def test_a_step_that_has_left_is_not_written_under_another_version(db: Database) -> None:
    one_invoice(db)
    plan(db)
    change(db, "UPDATE reminders SET state = 'accepted' WHERE step = 'DUE'")
    change(db, "UPDATE schedules SET version = 2")
    change(db, "UPDATE invoices SET next_at = :now", now=TUESDAY)
    plan(db)
    assert [tuple(row) for row in rows(db, "SELECT step, schedule_version FROM reminders ORDER BY 2, 1")] == [
        ("DUE", 1),
        ("T-3", 1),
        ("T-3", 2),
    ]


def test_each_of_many_clients_in_one_batch_has_its_own_days(db: Database) -> None:
    places = {"Europe/Berlin": "DE", "America/New_York": "US", "Asia/Tokyo": "JP"}
    expected = set()
    for number in range(9):
        zone = list(places)[number % 3]
        client_id = make_client(db, f"client{number}", timezone=zone, country=places[zone])
        due_on = DUE_ON + timedelta(days=number // 3)
        invoice_id = make_invoice(db, client_id, f"A-{number}", due_on=due_on, now=TUESDAY)
        nine = datetime(due_on.year, due_on.month, due_on.day, 9, tzinfo=ZoneInfo(zone))
        expected.add((invoice_id, client_id, nine))
    assert plan(db, TUESDAY + timedelta(days=2, hours=12)) == (9, 18, 0)
    found = rows(db, "SELECT invoice_id, client_id, due_at FROM reminders WHERE step = 'DUE'")
    assert {tuple(row) for row in found} == expected
    ahead = rows(db, "SELECT DISTINCT due_on, CAST(next_at AS date) FROM invoices ORDER BY due_on")
    assert [(due_on.day, next_on.day) for due_on, next_on in ahead] == [(10, 13), (11, 16), (12, 16)]


def test_a_pass_with_a_limit_stops_there_and_loses_nothing(db: Database) -> None:
    for number in range(5):
        one_invoice(db, f"A-{number}")
    assert plan(db, limit=2, batch=2) == (2, 4, 0)
    assert plan(db) == (3, 6, 0)
