"""A schedule given to clients and invoices: chosen, compared, given to what is as it was seen, and taken back."""

import re
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from nudgepay import clock
from nudgepay.access.permissions import Role
from nudgepay.invoices.models import Client, Invoice
from nudgepay.nudges.assigning import Wish, assign_schedule
from nudgepay.nudges.bulk import Chosen
from nudgepay.nudges.schedules import save_schedule
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from nudges.books import make_client, make_invoice
from nudges.builders import STEPS
from web.ui.desk import Desk
from web.ui.invoice_books import form_of, words

NOW = clock.now()
PATH = "/schedules/short/followers"


@pytest.fixture
def books(runtime: Runtime) -> Runtime:
    """Two clients; Ada has two invoices, of which the second follows the default schedule by itself."""
    ada, ben = make_client(runtime.db, "ada"), make_client(runtime.db, "ben")
    due = NOW.date() + timedelta(days=10)
    for client_id, number in ((ada, "A-1"), (ada, "A-2"), (ben, "B-1"), (ben, "B-2")):
        make_invoice(runtime.db, client_id, number, due_on=due, now=NOW)
    with runtime.db.transaction() as session:
        save_schedule(session, "short", STEPS[:2], now=NOW, actor="cli:bo")
        session.execute(text("UPDATE invoices SET schedule_name = 'default' WHERE number = 'A-2'"))
    return runtime


def followed(runtime: Runtime) -> dict[str, str | None]:
    """What each client and each invoice names."""
    with runtime.db.transaction() as session:
        found = {one.name: one.schedule_name for one in session.query(Client)}
        return found | {one.number: one.schedule_name for one in session.query(Invoice)}


def boxes(page: str) -> dict[str, str]:
    """Label and value of every box that can be ticked."""
    found = re.findall(
        r'name="(client|invoice)" value="(\d+:\d+)"( checked| disabled|)>\s*<span class="name">([^<]+)', page
    )
    return {label.strip(): f"{kind}={value}{state}" for kind, value, state, label in found}


def gone(page: str) -> dict[str, list[str]]:
    """By invoice, the steps of which no letter would go any more."""
    rows = re.findall(r'href="/invoices/\d+">([^<]+)</a></div>.*?<ul[^>]*>(.*?)</ul>', page, re.DOTALL)
    return {number: re.findall(r'chip">([^<]+)</span> <del', letters) for number, letters in rows}


def test_clients_and_invoices_are_found_chosen_compared_given_and_taken_back(desk: Desk, books: Runtime) -> None:
    assert f'href="{PATH}"' in desk.get("/schedules/short").text
    first = boxes(desk.get(PATH).text)
    assert first == {"Ben": "client=2:1", "Ada": "client=1:1"}
    second = boxes(desk.post(f"{PATH}/choose", {"q": "B-", "client": ["1:1"]}).text)
    assert second == {"Ben": "client=2:1", "B-1": "invoice=3:1", "B-2": "invoice=4:1", "Ada": "client=1:1 checked"}
    asked = desk.post(f"{PATH}/preview", {"client": ["1:1"], "invoice": ["3:1"]}).text
    assert {number: steps[-1] for number, steps in gone(asked).items()} == {"A-1": "+7", "B-1": "+7"}
    before = followed(books)
    assert set(before.values()) == {None, "default"}
    form = {"client": ["1:1"], "invoice": ["3:1"]}
    assert form_of(asked, PATH)["client"] == "1:1"
    saved = desk.post(PATH, form)
    told = desk.told(saved)
    assert "short is followed now by: 1 client, 1 invoice." in told
    assert followed(books) == before | {"Ada": "short", "B-1": "short"}
    again = boxes(desk.post(f"{PATH}/choose", {"q": "ada"}).text)
    assert again == {"Ada": "client=1:2 disabled"}
    back = form_of(told, f"{PATH}/undo")
    assert "2 follow again what they followed before." in desk.told(desk.post(f"{PATH}/undo", back))
    assert followed(books) == before
    assert "2 were changed since and stay as they are." in desk.told(desk.post(f"{PATH}/undo", back))


def test_what_was_changed_meanwhile_is_left_alone_and_named(desk: Desk, books: Runtime) -> None:
    with books.db.transaction() as session:
        session.execute(text("UPDATE clients SET version = 2 WHERE name = 'Ben'"))
        session.execute(text("UPDATE invoices SET status = 'paid', amount_paid = amount_due, amount_remaining = 0 WHERE number = 'B-1'"))  # fmt: skip
    fields = {"client": ["1:1", "2:1", "99:1"], "invoice": ["2:1", "3:1"]}
    asked = words(desk.post(f"{PATH}/preview", fields).text)
    assert "Somebody changed it after you saw it" in asked
    assert "There is no such" in asked
    assert "It is not open" in asked
    told = desk.told(desk.post(PATH, fields))
    assert "short is followed now by: 1 client, 1 invoice." in told
    assert "3 were changed by somebody meanwhile and left alone: Ben, B-1" in told
    assert followed(books) == {"Ada": "short", "Ben": None, "A-1": None, "A-2": "short", "B-1": None, "B-2": None}


def test_a_schedule_that_is_gone_is_not_given_back(desk: Desk, books: Runtime) -> None:
    with books.db.transaction() as session:
        save_schedule(session, "other", STEPS[:1], now=NOW, actor="cli:bo")
    desk.post("/schedules/other/followers", {"client": ["1:1"]})
    told = desk.told(desk.post(PATH, {"client": ["1:2"]}))
    assert desk.post("/schedules/other/retire").status_code == 303
    back = form_of(told, f"{PATH}/undo")
    assert "1 was changed since and stays as it is." in desk.told(desk.post(f"{PATH}/undo", back))
    assert followed(books)["Ada"] == "short"
    assert desk.post("/schedules/other/followers", {"client": ["1:3"]}).status_code == 404


def test_a_schedule_is_not_removed_while_it_is_given(desk: Desk, books: Runtime) -> None:
    with ThreadPoolExecutor(1) as hands:
        with books.db.transaction() as session:
            assign_schedule(session, Wish("short", (Chosen(2, 1),)), now=NOW, actor="operator:9")
            retired = hands.submit(desk.post, "/schedules/short/retire", {})
            wait([retired], timeout=1)
        assert retired.result().status_code == 409
    assert followed(books)["Ben"] == "short"
    assert desk.get("/schedules/short").status_code == 200


def test_the_default_one_is_given_by_taking_the_name_away(desk: Desk, books: Runtime) -> None:
    desk.post(PATH, {"client": ["1:1"]})
    asked = desk.post("/schedules/default/followers/preview", {"client": ["1:2"]}).text
    assert "Let them follow default" in asked
    desk.post("/schedules/default/followers", {"client": ["1:2"]})
    assert followed(books)["Ada"] is None


def test_what_is_no_choice_changes_nothing(desk: Desk, books: Runtime) -> None:
    before = followed(books)
    assert desk.post(f"{PATH}/preview").status_code == 422
    assert "Nothing was changed." in desk.told(desk.post(PATH))
    for fields in ({"client": ["1"]}, {"client": ["x:1"]}, {"invoice": [f"{n}:1" for n in range(101)]}):
        assert desk.post(PATH, fields).status_code == 422, fields
    assert desk.get("/schedules/none/followers").status_code == 404
    assert desk.post("/schedules/none/followers", {"client": ["1:1"]}).status_code == 404
    for entry in ("", "0", "x", "9" * 18):
        assert desk.post(f"{PATH}/undo", {"entry": entry}).status_code == 404
    assert desk.post(f"{PATH}/choose", {"q": "\x00'); --", "client": ["99:1"]}).status_code == 200
    assert followed(books) == before


def test_who_may_only_look_is_given_no_way(books: Runtime) -> None:
    with TestClient(create_app(books), follow_redirects=False) as client:
        viewer = Desk(client, books, Role.VIEWER)
        assert PATH not in viewer.get("/schedules/short").text
        assert viewer.get(PATH).status_code == 403
        for path in (PATH, f"{PATH}/choose", f"{PATH}/preview", f"{PATH}/undo"):
            assert viewer.post(path, {"client": ["1:1"]}).status_code == 403
