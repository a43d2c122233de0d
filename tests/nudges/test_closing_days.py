"""Closing days: honoured by planner, sender and preview alike, closed and opened without losing a letter."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.nudges.calendars import WorkCalendar, is_working_day
from nudgepay.nudges.closing_days import ClosingDaysError, calendar_now, close_days, open_days
from nudgepay.nudges.differences import diff_calendar
from nudgepay.nudges.facts import Rules
from nudgepay.nudges.preview import Span, foresee
from nudges.books import make_client, make_invoice, plan_all, rows, send, value

NOW = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)
"""Tuesday seven in the morning in Berlin."""
TODAY = NOW.date()
THURSDAY, FRIDAY = date(2026, 3, 12), date(2026, 3, 13)


def close(db: Database, first: date, last: date | None = None, name: str = "Stocktaking") -> list[date]:
    with db.transaction() as session:
        return close_days(
            session, first, last or first, name, calendar=WorkCalendar(), today=TODAY, now=NOW, actor="test"
        )


def reopen(db: Database, *days: date) -> list[date]:
    with db.transaction() as session:
        return open_days(session, days, calendar=WorkCalendar(), today=TODAY, now=NOW, actor="test")


def letters(db: Database, days: int = 60) -> list[tuple[str, str, datetime]]:
    with db.transaction() as session:
        span = Span(Rules(), calendar_now(session, WorkCalendar()), NOW, NOW + timedelta(days=days))
        return [
            (one.invoice, one.decision.step, one.decision.at)
            for one in foresee(session, span)
            if one.decision.action == "send"
        ]


def lived_through(db: Database, settings: Settings, days: int) -> list[tuple[str, str, datetime]]:
    """Real passes at the hours at which somebody's office opens."""
    for hour in range(0, days * 24):
        now = NOW + timedelta(hours=hour)
        if now.weekday() < 5 and now.hour in {0, 6, 8}:
            plan_all(db, now=now)
            send(db, settings, now=now)
    found = rows(
        db,
        "SELECT i.number, r.step, l.sending_at FROM reminders r JOIN invoices i ON i.id = r.invoice_id"
        " JOIN letters l ON l.id = r.letter_id WHERE l.state = 'accepted' ORDER BY l.sending_at, i.number",
    )
    return [tuple(row) for row in found]


def books(db: Database) -> None:
    berlin, tokyo = make_client(db, "ada"), make_client(db, "chie", timezone="Asia/Tokyo", country="JP")
    make_invoice(db, berlin, "A-1", due_on=THURSDAY, now=NOW)
    make_invoice(db, tokyo, "C-1", due_on=FRIDAY, now=NOW)


def test_no_letter_leaves_on_a_closing_day_and_the_preview_says_so(db: Database, settings: Settings) -> None:
    books(db)
    plan_all(db, now=NOW)
    assert ("A-1", "DUE", datetime(2026, 3, 12, 8, 0, tzinfo=UTC)) in letters(db)
    close(db, THURSDAY)
    plan_all(db, now=NOW)
    friday = datetime(2026, 3, 13, 8, 0, tzinfo=UTC)
    assert value(db, "SELECT next_at FROM invoices WHERE number = 'A-1'") == friday
    foreseen = letters(db, days=9)
    assert ("A-1", "DUE", friday) in foreseen
    assert THURSDAY not in {at.date() for _, _, at in foreseen}
    assert sorted(lived_through(db, settings, days=9)) == sorted(foreseen)


def test_what_waits_on_a_day_that_is_closed_meanwhile_is_held_as_on_a_holiday(
    db: Database, settings: Settings
) -> None:
    books(db)
    thursday = datetime(2026, 3, 12, 8, 0, tzinfo=UTC)
    with db.transaction() as session:
        session.execute(text("UPDATE clients SET paused_until = '2026-03-11'"))
    plan_all(db, now=thursday)
    close(db, THURSDAY)
    send(db, settings, now=thursday)
    held = rows(db, "SELECT held_reason, held_until FROM reminders WHERE state = 'planned' AND step = 'DUE'")
    assert [tuple(row) for row in held] in (
        [("holiday", datetime(2026, 3, 13, 8, 0, tzinfo=UTC))],
        [("outside_window", datetime(2026, 3, 13, 8, 0, tzinfo=UTC))],
    )
    assert value(db, "SELECT count(*) FROM letters") == 0


def test_opening_a_day_again_brings_its_letters_back_to_it(db: Database, settings: Settings) -> None:
    books(db)
    plan_all(db, now=NOW)
    before = letters(db, days=9)
    closed = close(db, THURSDAY, date(2026, 3, 18))
    plan_all(db, now=NOW)
    assert letters(db, days=9) != before
    assert reopen(db, *closed) == closed
    assert letters(db, days=9) == before
    assert sorted(lived_through(db, settings, days=9)) == sorted(before)
    assert [
        row.action for row in rows(db, "SELECT action FROM audit_events WHERE subject LIKE 'closing%' ORDER BY id")
    ] == [
        "closing_days.close",
        "closing_days.open",
    ]


def test_the_difference_of_a_closing_is_what_closing_then_does(db: Database) -> None:
    books(db)
    plan_all(db, now=NOW)
    before = letters(db)
    with db.transaction() as session:
        span = Span(Rules(), calendar_now(session, WorkCalendar()), NOW, NOW + timedelta(days=60))
        found = diff_calendar(session, span, closed=frozenset({THURSDAY}), clients=50, invoices=500)
    assert found.until is None
    gone = {(change.invoice, *letter) for change in found.changes for letter in change.gone}
    new = {(change.invoice, *letter) for change in found.changes for letter in change.new}
    close(db, THURSDAY)
    after = letters(db)
    assert (gone, new) == (set(before) - set(after), set(after) - set(before))
    assert {letter[:2] for letter in new} == {("A-1", "DUE")}


@pytest.mark.parametrize(
    ("first", "last", "name", "field"),
    [
        (TODAY - timedelta(days=1), TODAY, "x", "first"),
        (FRIDAY, THURSDAY, "x", "last"),
        (THURSDAY, THURSDAY + timedelta(days=92), "x", "last"),
        (THURSDAY + timedelta(days=800), THURSDAY + timedelta(days=801), "x", "last"),
        (THURSDAY, FRIDAY, " ", "name"),
        (THURSDAY, FRIDAY, "x" * 81, "name"),
    ],
)
def test_days_that_cannot_be_closed_are_refused_with_their_field(
    db: Database, first: date, last: date, name: str, field: str
) -> None:
    with pytest.raises(ClosingDaysError) as refused:
        close(db, first, last, name)
    assert refused.value.field == field


def test_a_day_is_closed_once_and_one_that_is_over_stays(db: Database) -> None:
    assert close(db, THURSDAY, FRIDAY) == [THURSDAY, FRIDAY]
    with pytest.raises(ClosingDaysError, match="closed already"):
        close(db, FRIDAY)
    with db.transaction() as session:
        session.execute(text("INSERT INTO closing_days (day, name, created_by) VALUES ('2026-03-02', 'x', 'test')"))
    assert reopen(db, date(2026, 3, 2), FRIDAY, FRIDAY) == [FRIDAY]
    assert reopen(db, FRIDAY) == []


@given(
    st.sets(st.dates(date(2026, 3, 1), date(2026, 4, 30)), max_size=60), st.dates(date(2026, 3, 1), date(2026, 4, 30))
)
def test_the_next_sending_day_is_the_first_on_which_both_sides_work(closed: set[date], day: date) -> None:
    calendar = WorkCalendar(closed=frozenset(closed))
    found = calendar.next_sending_day(day, "DE")
    assert found not in closed
    assert is_working_day(found, "DE")
    between = (day + timedelta(days=ahead) for ahead in range((found - day).days))
    assert not any(is_working_day(one, "DE") and one not in closed for one in between)
