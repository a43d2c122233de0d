"""Schedules in the browser: nothing counts before its difference was seen, and nobody's work is lost."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import text

from nudgepay import clock
from nudgepay.access.permissions import Role
from nudgepay.nudges.schedules import current_schedules, save_schedule
from nudgepay.runtime import Runtime
from nudges.books import make_client, make_invoice, plan_all, rows, value
from nudges.builders import STEPS
from web.ui.desk import Desk
from web.ui.reading_forms import form_of

EDIT, SAVE = "/schedules/default/edit", "/schedules/default/save"
NOW = clock.now()


@pytest.fixture
def books(runtime: Runtime) -> Runtime:
    client_id = make_client(runtime.db)
    make_invoice(runtime.db, client_id, "A-1", due_on=NOW.date() + timedelta(days=5), now=NOW)
    plan_all(runtime.db, now=NOW)
    return runtime


def codes(runtime: Runtime, name: str = "default") -> list[str]:
    with runtime.db.transaction() as session:
        return [step.code for step in current_schedules(session)[name].steps]


def versions(runtime: Runtime) -> int:
    return int(value(runtime.db, "SELECT count(*) FROM schedules"))


def later(desk: Desk) -> dict[str, str]:
    """The default schedule's form with its last step ten days after the due day instead of seven."""
    return form_of(desk.get(EDIT).text, EDIT) | {"code-3": "+10", "days-3": "10"}


def saving(desk: Desk, fields: dict[str, str]) -> dict[str, str]:
    """The form of the preview of these steps."""
    answer = desk.post(EDIT, fields | {"do": "preview"})
    assert answer.status_code == 200, answer.text
    return form_of(answer.text, SAVE)


def test_steps_are_added_moved_and_removed_by_round_trips_and_what_was_typed_stays(
    desk: Desk, books: Runtime
) -> None:
    fields = form_of(desk.get(EDIT).text, EDIT) | {"code-0": "typed", "days-1": "rubbish", "review-2": "yes"}

    def after(act: str) -> list[str]:
        nonlocal fields
        fields = form_of(desk.post(EDIT, fields | {"do": act}).text, EDIT)
        return [value for name, value in fields.items() if name.startswith("code-")]

    assert after("add") == ["typed", "DUE", "+3", "+7", "+14"]
    assert after("up-2") == ["typed", "+3", "DUE", "+7", "+14"]
    assert fields["review-1"] == "yes"
    assert fields["days-2"] == "rubbish"
    assert after("down-0") == ["+3", "typed", "DUE", "+7", "+14"]
    assert after("remove-3") == ["+3", "typed", "DUE", "+14"]
    for nonsense in ("up-0", "down-3", "remove-9", "remove-x", "up--1", "fly", "remove-٣"):
        assert after(nonsense) == ["+3", "typed", "DUE", "+14"]
    assert versions(books) == 1


def test_a_problem_stands_beside_its_field_and_nothing_is_saved(desk: Desk, books: Runtime) -> None:
    fields = later(desk) | {"days-0": "x", "code-1": "+3", "minimum-2": "-1", "anchor-3": "easter", "code-2": "<b>"}
    for path in (EDIT, SAVE):
        answer = desk.post(path, fields | {"do": "preview"})
        assert answer.status_code == 422
        for name, words in {
            "days-0": "A number from 0 to 365",
            "minimum-2": "A whole number, 0 or more",
            "anchor-3": "Choose one of the list",
            "code-2": "1 to 20 letters",
        }.items():
            assert re.search(rf'id="about-{name}">.*{words}', answer.text), name
        assert 'value="&lt;b&gt;"' in answer.text
        assert 'value="x"' in answer.text
    assert "A schedule needs a step" in desk.post(EDIT, {"base": "1", "do": "preview"}).text
    assert versions(books) == 1


def test_the_difference_is_shown_first_then_saved_and_can_be_undone(desk: Desk, books: Runtime) -> None:
    preview = desk.post(EDIT, later(desk) | {"do": "preview"})
    assert versions(books) == 1
    assert "A-1" in preview.text
    gone = re.findall(r'chip">([^<]+)</span> <del', preview.text)
    new = re.findall(r'chip">([^<]+)</span> <ins', preview.text)
    assert (gone, new) == (["+7"], ["+10"])
    saved = desk.post(SAVE, form_of(preview.text, SAVE))
    told = desk.told(saved)
    assert "Version 2 is in force" in told
    assert codes(books)[-1] == "+10"
    actor = value(books.db, "SELECT created_by FROM schedules WHERE version = 2")
    assert actor.startswith("operator:")
    assert "olga@desk.example" in told
    again = form_of(told, "/schedules/default/versions/1/again")
    assert "in force again" in desk.told(desk.post("/schedules/default/versions/1/again", again))
    assert codes(books)[-1] == "+7"
    assert desk.post("/schedules/default/versions/1/again", again).status_code == 409


def test_two_people_at_once_the_second_sees_both_and_loses_nothing(desk: Desk, books: Runtime) -> None:
    mine = saving(desk, later(desk))
    with books.db.transaction() as session:
        save_schedule(session, "default", STEPS[:2], now=NOW, actor="cli:bo")
    for path, fields in ((SAVE, mine), (EDIT, {**mine, "do": "preview"})):
        answer = desk.post(path, fields)
        assert answer.status_code == 409
        assert "Somebody else changed this schedule" in answer.text
        assert "cli:bo" in answer.text
        kept = form_of(answer.text, EDIT)
        assert (kept["code-3"], kept["days-3"], kept["base"]) == ("+10", "10", "2")
        assert codes(books) == ["T-3", "DUE"]
    assert desk.post(SAVE, saving(desk, kept)).status_code == 303
    assert codes(books) == ["T-3", "DUE", "+3", "+10"]


def test_saving_twice_makes_one_version(desk: Desk, books: Runtime) -> None:
    fields = saving(desk, later(desk))
    assert [desk.post(SAVE, fields).status_code for _ in range(2)] == [303, 303]
    assert versions(books) == 2


def test_an_old_version_is_compared_and_restored_as_a_new_one(desk: Desk, books: Runtime) -> None:
    desk.post(SAVE, saving(desk, later(desk)))
    compared = desk.get("/schedules/default/versions/1").text
    assert "not any more" in compared
    assert "+10" in compared
    preview = desk.get("/schedules/default/versions/1/restore")
    assert re.findall(r'chip">([^<]+)</span> <del', preview.text) == ["+10"]
    assert codes(books)[-1] == "+10"
    assert "Version 3 is in force" in desk.told(desk.post(SAVE, form_of(preview.text, SAVE)))
    assert codes(books) == ["T-3", "DUE", "+3", "+7"]
    for path in ("versions/99", "versions/0", f"versions/{10**30}", "versions/1?against=77", "versions/99/restore"):
        assert desk.get(f"/schedules/default/{path}").status_code == 404, path


@pytest.mark.parametrize("name", ["", "New Name", "new", "closing-days", "default", "x" * 41, "<b>"])
def test_a_name_that_cannot_be_is_told_beside_its_field(desk: Desk, books: Runtime, name: str) -> None:
    fields = form_of(desk.get("/schedules/new").text, "/schedules/new")
    answer = desk.post("/schedules/new", fields | {"name": name, "do": "preview"})
    assert answer.status_code == 422
    assert 'id="about-name"' in answer.text
    assert versions(books) == 1


def test_a_new_schedule_is_made_followed_and_removed_only_when_nobody_follows_it(desk: Desk, books: Runtime) -> None:
    fields = form_of(desk.get("/schedules/new").text, "/schedules/new") | {"name": "gentle", "days-3": "20"}
    preview = desk.post("/schedules/new", fields | {"do": "preview"})
    assert "Nobody is concerned" in preview.text
    assert desk.post("/schedules/gentle/save", form_of(preview.text, "/schedules/gentle/save")).status_code == 303
    with books.db.transaction() as session:
        session.execute(text("UPDATE clients SET schedule_name = 'gentle'"))
    page = desk.get("/schedules/gentle").text
    assert "1 client" in page
    assert 'href="/clients/1"' in page
    assert "/retire" not in page
    assert desk.post("/schedules/gentle/retire").status_code == 409
    assert desk.post("/schedules/default/retire").status_code == 409
    with books.db.transaction() as session:
        session.execute(text("UPDATE clients SET schedule_name = NULL"))
    told = desk.told(desk.post("/schedules/gentle/retire"))
    assert desk.get("/schedules/gentle").status_code == 404
    again = "/schedules/gentle/versions/2/again"
    desk.post(again, form_of(told, again))
    assert codes(books, "gentle") == codes(books)


def test_who_may_only_read_sees_no_way_to_change_and_finds_none(desk: Desk, books: Runtime) -> None:
    fields = later(desk)
    viewer = Desk(desk.client, books, role=Role.VIEWER)
    page = viewer.get("/schedules/default").text
    assert "/edit" not in page
    assert "Restore" not in page
    assert "close-title" not in viewer.get("/schedules/closing-days").text
    for path in (EDIT, "/schedules/new"):
        assert viewer.get(path).status_code == 403
    for path in (EDIT, SAVE, "/schedules/default/retire", "/schedules/closing-days", "/schedules/closing-days/open"):
        assert viewer.post(path, fields).status_code == 403, path
    assert versions(books) == 1
    assert rows(books.db, "SELECT * FROM closing_days") == []


def test_days_are_closed_and_opened_after_a_look_at_what_that_changes(desk: Desk, books: Runtime) -> None:
    (first,) = re.findall(r"\?day=([\d-]+)#day", desk.get("/plan").text)[:1]
    name = "Company <holidays>"
    preview = desk.post("/schedules/closing-days/preview", {"first": first, "last": "", "name": name})
    assert "<del" in preview.text
    assert "Company &lt;holidays&gt;" in preview.text
    assert rows(books.db, "SELECT * FROM closing_days") == []
    fields = form_of(preview.text, "/schedules/closing-days")
    assert "1 day is closed." in desk.told(desk.post("/schedules/closing-days", fields))
    assert "No letter leaves." in desk.get(f"/plan?day={first}").text
    opening = desk.get(f"/schedules/closing-days/open?days={first}")
    assert "<ins" in opening.text
    path = "/schedules/closing-days/open"
    told = desk.told(desk.post(path, form_of(opening.text, path)))
    assert "1 day is open again." in told
    assert 'class="row-link"' in desk.get(f"/plan?day={first}").text
    desk.post("/schedules/closing-days", form_of(told, "/schedules/closing-days"))
    assert [row.name for row in rows(books.db, "SELECT name FROM closing_days")] == [name]
    assert desk.get("/schedules/closing-days/open?days=,,x,2020-01-01").status_code == 404


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"first": "soon", "name": "x"}, "first"),
        ({"first": "2001-01-01", "name": "x"}, "first"),
        ({"first": "2099-01-01", "name": "x"}, "last"),
        ({"first": "2030-01-01", "last": "x", "name": "x"}, "last"),
        ({}, "first"),
    ],
)
def test_days_that_cannot_be_closed_are_told_beside_their_field(
    desk: Desk, books: Runtime, fields: dict[str, str], name: str
) -> None:
    for path in ("/schedules/closing-days/preview", "/schedules/closing-days"):
        answer = desk.post(path, fields)
        assert answer.status_code == 422
        if path.endswith("preview"):
            assert f'id="about-{name}">' in answer.text
        assert f'value="{fields.get("name", "")}"' in answer.text
    assert rows(books.db, "SELECT * FROM closing_days") == []
