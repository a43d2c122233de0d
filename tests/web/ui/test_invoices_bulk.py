"""One act on many invoices: shown first, done to what is still as it was shown, told, and taken back."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from nudgepay import clock, ledger
from nudgepay.access.permissions import Role
from nudgepay.invoices.actions import create_client, create_invoice, switch_reminders
from nudgepay.invoices.models import Invoice
from nudgepay.payments.bank import record_transfer
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from web.ui.desk import Desk
from web.ui.invoice_books import form_of, words

NOW = clock.now()
TODAY = NOW.date()


@pytest.fixture
def ids(runtime: Runtime) -> list[int]:
    """Three invoices of one client that come due in ten days."""
    with runtime.db.transaction() as session:
        client = create_client(
            session, name="Lindner", email="k@x.example", locale="en", timezone="UTC", country="DE", actor="t"
        )
        return [
            create_invoice(
                session,
                client_id=client.id,
                number=f"B-{n}",
                currency="EUR",
                amount_due=5_000,
                issued_on=TODAY,
                due_on=TODAY + timedelta(days=10),
                now=NOW,
                actor="t",
                amnesty=n == 3,
            ).id
            for n in (1, 2, 3)
        ]


def chosen(runtime: Runtime, ids: list[int]) -> list[str]:
    with runtime.db.transaction() as session:
        return [f"{id_}:{session.get_one(Invoice, id_).version}" for id_ in ids]


def column(runtime: Runtime, ids: list[int], name: str) -> list[object]:
    with runtime.db.transaction() as session:
        return [getattr(session.get_one(Invoice, id_), name) for id_ in ids]


def test_a_pause_is_shown_with_its_letters_done_told_and_undone(desk: Desk, runtime: Runtime, ids: list[int]) -> None:
    rows = chosen(runtime, ids)
    until = (TODAY + timedelta(days=12)).isoformat()
    shown = desk.post(
        "/invoices/bulk", {"action": "pause", "row": rows, "until": until, "back": "/invoices?q=b"}
    ).text
    assert "Pause 3 invoices" in shown
    assert shown.count("No longer sent:") >= 2  # T-3 and DUE of the two that are not held
    assert column(runtime, ids, "paused_until") == [None] * 3  # nothing was done yet
    done = desk.post(
        "/invoices/bulk/confirm", {"action": "pause", "row": rows, "until": until, "back": "/invoices?q=b"}
    )
    assert done.headers["location"] == "/invoices?q=b"
    told = desk.told(done)
    assert "3 invoices are paused." in told
    assert column(runtime, ids, "paused_until") == [TODAY + timedelta(days=12)] * 3
    fields = dict(re.findall(r'<input type="hidden" name="(entry|back)" value="([^"]*)"', told.split("data-told")[1]))
    assert "Undone for 3 invoices." in desk.told(desk.post("/invoices/bulk/undo", fields))
    assert column(runtime, ids, "paused_until") == [None] * 3
    assert "3 were changed since and stay as they are." in desk.told(desk.post("/invoices/bulk/undo", fields))


def test_what_somebody_changed_meanwhile_is_left_alone_and_named(
    desk: Desk, runtime: Runtime, ids: list[int]
) -> None:
    rows = chosen(runtime, ids)
    with runtime.db.transaction() as session:
        switch_reminders(session, session.get_one(Invoice, ids[1]), on=False, now=NOW, actor="operator:9")
    shown = desk.post("/invoices/bulk", {"action": "void", "row": rows}).text
    assert "Void 2 invoices" in shown
    assert "Somebody changed it after you saw it" in shown
    told = desk.told(desk.post("/invoices/bulk/confirm", {"action": "void", "row": rows}))
    assert "2 invoices are void." in told
    assert "1 was changed by somebody meanwhile and left alone: B-2" in told
    assert column(runtime, ids, "status") == ["void", "open", "void"]
    with runtime.db.transaction() as session:
        audited = (
            session.execute(text("SELECT actor FROM audit_events WHERE action = 'invoice.void'")).scalars().all()
        )
    assert [actor.partition(":")[0] for actor in audited] == ["operator", "operator"]


def test_each_act_says_which_invoices_it_would_not_change(desk: Desk, runtime: Runtime, ids: list[int]) -> None:
    rows = chosen(runtime, ids)
    for act, title, already in (
        ("resume", "End the pause of 0 invoices", 3),
        ("reminders_on", "Switch reminders on for 0 invoices", 3),
        ("reminders_off", "Switch reminders off for 3 invoices", 0),
        ("release", "Release 1 imported invoice", 2),
    ):
        shown = desk.post("/invoices/bulk", {"action": act, "row": rows}).text
        assert title in shown
        assert shown.count("It is so already") == already
    assert "1 invoice is released." in desk.told(
        desk.post("/invoices/bulk/confirm", {"action": "release", "row": rows[2:]})
    )
    assert column(runtime, ids[2:], "amnesty_at") == [None]


NO_CHOICES: list[tuple[dict[str, object], int]] = [
    ({"action": "explode", "row": ["1:1"]}, 422),
    ({"action": "void", "row": ["1 OR 1=1"]}, 422),
    ({"action": "void", "row": ["9" * 30 + ":1"]}, 422),
    ({"action": "void", "row": [",".join(f"{n}:1" for n in range(1_001))]}, 422),
    ({"action": "pause", "row": ["1:1"], "until": "yesterday"}, 422),
    ({"action": "pause", "row": ["1:1"], "until": "2001-01-01"}, 422),
    ({"action": "void", "row": []}, 303),
    ({"action": "void", "row": ["999999:1"]}, 303),
]


def test_a_form_that_is_no_choice_changes_nothing(desk: Desk, runtime: Runtime, ids: list[int]) -> None:
    for fields, status in NO_CHOICES:
        assert desk.post("/invoices/bulk/confirm", fields).status_code == status, fields
    assert column(runtime, ids, "version") == [1, 1, 1]


def test_who_may_not_change_or_release_is_refused(runtime: Runtime, ids: list[int]) -> None:
    rows = chosen(runtime, ids)
    with TestClient(create_app(runtime), follow_redirects=False) as client:
        viewer = Desk(client, runtime, Role.VIEWER)
        assert viewer.post("/invoices/bulk", {"action": "void", "row": rows}).status_code == 403
        assert "data-row" not in viewer.get("/invoices").text
        operator = Desk(client, runtime, Role.OPERATOR)
        assert operator.post("/invoices/bulk/confirm", {"action": "release", "row": rows}).status_code == 403
        assert 'value="release"' not in operator.get("/invoices").text
    assert column(runtime, ids, "version") == [1, 1, 1]


def test_back_leads_to_the_list_and_nowhere_else(desk: Desk, runtime: Runtime, ids: list[int]) -> None:
    for back in ("https://evil.example", "//evil.example", "/logout"):
        done = desk.post("/invoices/bulk/confirm", {"action": "pause", "row": chosen(runtime, ids), "back": back})
        assert done.headers["location"] == "/invoices"


def many(runtime: Runtime, count: int) -> None:
    """So many open invoices of twenty clients, all found by the same word."""
    with runtime.db.transaction() as session:
        session.execute(
            text(
                "INSERT INTO clients (name, locale, timezone, country)"
                " SELECT 'Many ' || n, 'en', 'UTC', 'DE' FROM generate_series(1, 20) n"
            )
        )
        session.execute(
            text(
                "INSERT INTO invoices (client_id, number, currency, amount_due, amount_remaining, issued_on, due_on,"
                " token, next_at) SELECT (SELECT min(id) FROM clients WHERE name LIKE 'Many%') + n % 20, 'M-' || n,"
                " CASE n % 2 WHEN 0 THEN 'EUR' ELSE 'JPY' END, 100, 100, CAST(:today AS date),"
                " CAST(:today AS date) + 10, 'many-' || n, now() FROM generate_series(1, :count) n"
            ),
            {"count": count, "today": TODAY},
        )


def test_all_that_match_are_chosen_shown_changed_and_taken_back_and_the_rest_is_named(
    desk: Desk, runtime: Runtime, ids: list[int]
) -> None:
    many(runtime, 1_000)
    listed = desk.get("/invoices?q=m").text
    assert "Choose all 1,000 that match" in listed
    asked = {"action": "reminders_off", "everything": "yes", "back": "/invoices?q=m"}
    asked |= {"query": form_of(listed, "/invoices/bulk")["query"]}
    shown = desk.post("/invoices/bulk", asked).text
    assert "Switch reminders off for 1,000 invoices" in shown
    assert "those of 300 of the chosen invoices are shown" in words(shown)
    assert "500 invoices in EUR €500.00 left to pay 500 invoices in JPY ¥50,000 left to pay" in words(shown)
    assert "and 900 more invoices" in words(shown)
    form = form_of(shown, "/invoices/bulk/confirm")
    with runtime.db.transaction() as session:
        others = session.query(Invoice).filter(Invoice.number.in_([f"M-{n}" for n in range(1, 8)])).all()
        for one in others:
            switch_reminders(session, one, on=False, now=NOW, actor="operator:9")
    done = desk.post("/invoices/bulk/confirm", form)
    told = desk.told(done)
    assert "Reminders are off for 993 invoices." in told
    assert re.fullmatch(r"/invoices/bulk/\d+", done.headers["location"])
    assert {f"M-{n}" for n in range(1, 8)} == set(re.findall(r">(M-\d+)</a>", told))
    assert off(runtime) == 1_000
    assert column(runtime, ids, "version") == [1, 1, 1]  # they do not match
    back = form_of(told, "/invoices/bulk/undo")
    with runtime.db.transaction() as session:
        switch_reminders(session, session.query(Invoice).filter_by(number="M-900").one(), on=True, now=NOW, actor="t")
    undone = desk.told(desk.post("/invoices/bulk/undo", back))
    assert "Undone for 992 invoices. 1 was changed since and stays as it is." in undone
    assert off(runtime) == 7
    assert "993" in words(desk.get("/operations/ledger?kind=act").text)


def off(runtime: Runtime) -> int:
    with runtime.db.transaction() as session:
        return session.query(Invoice).filter(Invoice.reminders_off_at.is_not(None)).count()


def test_more_than_can_be_shown_and_taken_back_is_not_chosen_at_once(desk: Desk, runtime: Runtime) -> None:
    many(runtime, 1_001)
    listed = words(desk.get("/invoices?q=m").text)
    assert "More than 1,000 match. Narrow the list to choose all of it" in listed
    assert "Choose all" not in listed.replace("Choose all on this page", "")
    asked = desk.post("/invoices/bulk", {"action": "void", "everything": "yes", "query": "q=m", "back": "/invoices"})
    assert "More than 1,000 match by now" in desk.told(asked)
    alone = desk.post("/invoices/bulk", {"action": "void", "everything": "yes", "query": "q=1001", "row": ["1:1"]})
    assert "Void 1 invoice" in alone.text
    assert "M-1001" in alone.text


def test_what_was_paid_on_voided_invoices_becomes_credit(desk: Desk, runtime: Runtime, ids: list[int]) -> None:
    with runtime.db.transaction() as session:
        record_transfer(session, numbers=["B-1"], amount="20", occurred_at=NOW, now=NOW, actor="t")
    desk.post("/invoices/bulk/confirm", {"action": "void", "row": chosen(runtime, ids)})
    assert column(runtime, ids, "status") == ["void"] * 3
    assert column(runtime, ids, "amount_paid") == [0, 0, 0]
    with runtime.db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM allocations")) == 0


def test_an_act_that_is_none_is_not_shown_and_not_taken_back(desk: Desk, runtime: Runtime, ids: list[int]) -> None:
    desk.post("/invoices/bulk/confirm", {"action": "void", "row": chosen(runtime, ids)})
    with runtime.db.transaction() as session:
        void = session.execute(text("SELECT max(id) FROM ledger_entries")).scalar_one()
        other = ledger.write(session, kind="job", name="invoices.pause", actor="t", details={})
    assert desk.post("/invoices/bulk/undo", {"entry": str(void)}).status_code == 422
    for number in ("0", str(other), "9" * 18, "x", ""):
        assert desk.post("/invoices/bulk/undo", {"entry": number}).status_code == 404, number
    assert desk.get(f"/invoices/bulk/{other}").status_code == 404
    assert desk.get(f"/invoices/bulk/{10**30}").status_code == 404
    assert "3 invoices are void." in words(desk.get(f"/invoices/bulk/{void}").text)
    assert column(runtime, ids, "status") == ["void"] * 3
