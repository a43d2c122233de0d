"""The plan's page shows what the engine foresees, says how far it is exact, and takes any question calmly."""

import html
import re
from collections import Counter
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from nudgepay import clock
from nudgepay.access.permissions import Role
from nudgepay.errors import NotFound
from nudgepay.invoices.queries import client_by_name
from nudgepay.nudges import outlook
from nudgepay.nudges.closing_days import close_days
from nudgepay.nudges.facts import Step
from nudgepay.nudges.outlook import letters_of
from nudgepay.nudges.preview import foresee, span_ahead
from nudgepay.nudges.queries import load_calendar
from nudgepay.nudges.schedules import save_schedule
from nudgepay.nudges.switch import pause_sending
from nudgepay.runtime import Runtime
from nudges.books import make_client, make_invoice, plan_all
from web.ui.desk import Desk

ROW = re.compile(r'<a class="row-link" href="/clients/(\d+)">')
NOW = clock.now()
TODAY = NOW.date()


@pytest.fixture
def books(runtime: Runtime) -> Runtime:
    """Five clients in two zones; invoices due around today; one imported long overdue, one with two invoices."""
    for number, zone_name in enumerate(["Europe/Berlin", "Asia/Tokyo", "Europe/Berlin", "America/New_York"]):
        client_id = make_client(runtime.db, f"client{number}", timezone=zone_name)
        for one in range(1 + number % 2):
            make_invoice(
                runtime.db, client_id, f"A-{number}-{one}", due_on=TODAY + timedelta(days=number * 3), now=NOW
            )
    late = make_client(runtime.db, "late")
    make_invoice(runtime.db, late, "L-1", due_on=TODAY - timedelta(days=40), now=NOW)
    with runtime.db.transaction() as session:
        session.execute(text("UPDATE invoices SET amnesty_at = now() WHERE number = 'L-1'"))
    plan_all(runtime.db, now=NOW)
    return runtime


def foreseen_by_day(runtime: Runtime) -> dict[str, Counter[str]]:
    """The letters of everybody as foresee() has them, by the business's day; each a client's id."""
    zone = ZoneInfo(runtime.settings.business_timezone)
    found: dict[str, Counter[str]] = {}
    with runtime.db.transaction() as session:
        span = span_ahead(session, runtime.settings, now=clock.now(), days=60)
        for letter in letters_of(foresee(session, span)):
            day = letter.at.astimezone(zone).date().isoformat()
            found.setdefault(day, Counter())[str(letter.first.client_id)] += 1
    return found


def test_the_letters_of_each_day_are_those_that_the_engine_foresees(desk: Desk, books: Runtime) -> None:
    expected = foreseen_by_day(books)
    assert len(expected) >= 6
    page = desk.get("/plan").text
    shown = {
        day: int(count)
        for day, count in re.findall(
            r'href="/plan\?day=([\d-]+)#day"[^>]*>\s*<span class="calendar-number">[^<]*</span>\s*<span class="calendar-count">(\d+) ',
            page,
        )
    }
    assert shown == {day: letters.total() for day, letters in expected.items()}
    for day, letters in expected.items():
        assert Counter(ROW.findall(desk.get(f"/plan?day={day}").text)) == letters, day
    total = sum(letters.total() for letters in expected.values())
    listed = desk.get("/plan?view=list").text
    assert len(ROW.findall(listed)) == total
    assert f"{total} rows" in listed


def test_both_clocks_are_shown_where_the_readers_differs(desk: Desk, books: Runtime) -> None:
    assert "09:00 in Tokyo" in desk.get("/plan?view=list").text
    assert "in Berlin" not in desk.get("/plan?view=list").text


def test_filters_narrow_the_plan_and_an_unknown_client_is_told_beside_the_field(desk: Desk, books: Runtime) -> None:
    assert set(ROW.findall(desk.get("/plan?view=list&client=Client1").text)) == {"2"}
    assert set(ROW.findall(desk.get("/plan?view=list&client=2").text)) == {"2"}
    steps = desk.get("/plan?view=list&step=DUE").text
    assert 'chip">DUE<' in steps
    assert 'chip">+3<' not in steps
    assert not ROW.findall(desk.get("/plan?view=list&client=Nobody").text)
    assert "There is no client of this name or number." in desk.get("/plan?client=Nobody").text
    with books.db.transaction() as session:
        session.execute(text("UPDATE clients SET schedule_name = 'gentle' WHERE id = 1"))
        save_schedule(
            session, "gentle", (Step("SOFT", "due_on", 9, False, "overdue", "firm"),), now=NOW, actor="test"
        )
    assert set(ROW.findall(desk.get("/plan?view=list&schedule=gentle").text)) == {"1"}
    assert "SOFT" in desk.get("/plan?view=list&schedule=gentle&step=SOFT").text


def test_every_number_of_the_silence_is_the_length_of_the_list_behind_it(desk: Desk, books: Runtime) -> None:
    page = desk.get("/plan?view=silence").text
    assert "Imported when it was already overdue" in page
    assert "until you release it" in page
    assert "/invoices?reason=amnesty" in page
    links = re.findall(r'href="(/plan\?view=list[^"]*reason=\w+[^"]*)">(\d+)</a>', page)
    assert len(links) >= 2
    for link, count in links:
        assert len(ROW.findall(desk.get(html.unescape(link)).text)) == int(count), link


def test_beyond_what_is_worked_out_the_page_says_so_and_shows_only_what_the_rows_know(
    desk: Desk, books: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = foreseen_by_day(books)
    monkeypatch.setattr(outlook, "CLIENTS", 2)
    page = desk.get("/plan").text
    assert "works out the 2 clients whose turn comes first" in page
    assert "at least" in page
    exact = dict(
        re.findall(
            r'href="/plan\?day=([\d-]+)#day"[^>]*>\s*<span class="calendar-number">[^<]*</span>\s*<span class="calendar-count">(\d+) ',
            page,
        )
    )
    assert exact == {day: str(expected[day].total()) for day in exact}
    assert len(exact) < len(expected)
    assert "calendar-note" in page
    assert "/plan?reach=3" in page
    assert "works out the" not in desk.get("/plan?reach=3").text
    assert "works out the" not in desk.get("/plan?client=4").text


def test_a_pause_is_told_and_the_plan_is_as_if_it_ended_now(desk: Desk, books: Runtime) -> None:
    before = foreseen_by_day(books)
    with books.db.transaction() as session:
        pause_sending(session, reason="Moving house", environment="test", actor="test")
    page = desk.get("/plan?view=list").text
    assert "Sending is paused" in page
    assert "Moving house" in page
    assert len(ROW.findall(page)) == sum(letters.total() for letters in before.values())


def test_a_closing_day_is_named_in_the_calendar_and_has_no_letter(desk: Desk, books: Runtime) -> None:
    day = max(foreseen_by_day(books))
    with books.db.transaction() as session:
        first = TODAY.fromisoformat(day)
        close_days(
            session,
            first,
            first,
            "Stocktaking <b>",
            calendar=load_calendar(books.settings),
            today=TODAY,
            now=NOW,
            actor="test",
        )
    assert day not in foreseen_by_day(books)
    page = desk.get(f"/plan?day={day}").text
    assert not ROW.findall(page)
    assert "Closed: Stocktaking &lt;b&gt;. No letter leaves." in page


def test_garbage_in_the_question_changes_nothing(desk: Desk, books: Runtime) -> None:
    plain = len(ROW.findall(desk.get("/plan?view=list").text))
    garbage = (
        "&day=2026-99-99&reach=99999999999999&sheet=-1&step=%27%3BDROP&reason=%3Cscript%3E&schedule=%00&action=x"
    )
    assert len(ROW.findall(desk.get(f"/plan?view=list{garbage}").text)) == plain
    for client in ("%00", "'%20OR%201=1--", "9" * 40, "%3Cscript%3Ealert(1)%3C/script%3E", "٣"):
        answer = desk.get(f"/plan?client={client}")
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
    assert desk.get("/plan?view=list&sheet=9999").status_code == 200


def test_a_name_that_is_markup_stays_text(desk: Desk, books: Runtime) -> None:
    with books.db.transaction() as session:
        session.execute(text("UPDATE clients SET name = '<img src=x onerror=alert(1)>' WHERE id = 2"))
    for view in ("calendar", "list", "silence"):
        assert "<img src=x" not in desk.get(f"/plan?view={view}").text
    assert "&lt;img src=x" in desk.get("/plan?view=list").text


def test_an_empty_plan_teaches_and_a_viewer_may_look(runtime: Runtime, desk: Desk) -> None:
    page = Desk(desk.client, runtime, role=Role.VIEWER).get("/plan").text
    assert "No letter goes out" in page
    assert "Reasons for silence" in page


def test_a_client_number_that_no_id_can_be_finds_nobody(desk: Desk) -> None:
    for sought in ("9" * 40, "0" * 30 + "9" * 30, "٣" * 25, "9" * 5_000):
        with desk.runtime.db.transaction() as session, pytest.raises(NotFound):
            client_by_name(session, sought)
