"""One invoice's page: what is owed, what happens next, everything that happened, and who was faster."""

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from nudgepay import clock
from nudgepay.access.permissions import Role
from nudgepay.nudges.claims import claim_paid
from nudgepay.nudges.disputes import open_dispute
from nudgepay.nudges.promises import make_promise
from nudgepay.nudges.recipients import mark_wrong_person
from nudgepay.payments.books import reallocate
from nudgepay.payments.reviews import open_review
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from nudges.books import make_client
from web.ui.desk import Desk
from web.ui.invoice_books import an_invoice, form_of, look, one, run, send, words


def test_the_next_letter_is_told_in_both_peoples_time(desk: Desk) -> None:
    ahead = an_invoice(desk.runtime, late=-20, timezone="Asia/Tokyo", country="JP")
    page = words(desk.get(f"/invoices/{ahead}").text)
    assert "Letter T-3 goes to" in page
    assert "09:00 (Asia/Tokyo)" in page
    assert "Left to pay €100.00" in page
    run(desk.runtime, "UPDATE clients SET timezone = 'Nowhere/Land'")
    assert "no letter can be planned" in words(desk.get(f"/invoices/{ahead}").text)


def test_a_held_invoice_says_why_and_offers_what_ends_it(desk: Desk) -> None:
    invoice_id = an_invoice(desk.runtime)
    path = f"/invoices/{invoice_id}"
    off = send(desk, f"{path}/reminders", f"{path}/reminders")
    assert "Reminders are off." in desk.told(off)
    page = desk.get(path).text
    assert "Nothing goes: Reminders are switched off" in words(page)
    assert "It stays so until you switch them on." in words(page)
    assert "Reminders switched off" in words(page)
    assert "olga@desk.example" in words(page)
    assert f'href="{path}/reminders"' in page
    assert "Reminders are on." in desk.told(send(desk, f"{path}/reminders", f"{path}/reminders"))
    assert "goes to" in words(desk.get(path).text)


def test_everything_that_happened_is_in_one_story_the_newest_first(desk: Desk) -> None:
    runtime = desk.runtime
    invoice_id = an_invoice(runtime)
    now = clock.now()
    with runtime.db.transaction() as session:
        client_id = look(runtime, invoice_id).client_id
        given = {"invoice_id": invoice_id, "actor": "payer", "source": "page"}
        claim_paid(session, now=now, **given)
        make_promise(session, promised_on=now.date() + timedelta(days=3), now=now + timedelta(seconds=1), **given)
        open_dispute(session, amount=2_500, message="Two boxes broken", now=now + timedelta(seconds=2), **given)
        open_review(session, invoice_ids=[invoice_id], reason="wrong_amount", source="t:1", details={"amount": 7})
        contact_id = one(runtime, "SELECT id FROM contacts")
        mark_wrong_person(session, contact_id=contact_id, now=now, actor="payer", source="page")
        reallocate(session, client_id, now=now)
    send(
        desk,
        f"/invoices/{invoice_id}/payments/new",
        f"/invoices/{invoice_id}/payments",
        amount="10",
        on=f"{now:%Y-%m-%d}",
        note="cash",
    )
    run(runtime, "INSERT INTO checkout_sessions (page, client_id, lines, amount, currency, idempotency_key)"
        f" SELECT 'invoice:{invoice_id}', client_id, jsonb_build_array(jsonb_build_object('invoice_id', id, 'amount', 9000)), 9000, 'EUR', 'k' FROM invoices")  # fmt: skip
    page = words(desk.get(f"/invoices/{invoice_id}").text)
    story = page.partition("Everything that happened")[2]
    for told in (
        "Payment of €90.00 begun on the pay page",
        "Payment of €10.00, recorded by hand",
        "cash",
        "€25.00 disputed",
        "Two boxes broken",
        "Promised to pay €100.00 by",
        "Says that it is paid",
        "Another amount came than was asked for",
        "Somebody says to be the wrong person for this",
        "Entered the books",
    ):
        assert told in story, told
    assert story.index("€25.00 disputed") < story.index("Promised to pay") < story.index("Says that it is paid")
    assert "What did you find?" in page


def test_a_long_story_is_told_in_parts(desk: Desk) -> None:
    invoice_id = an_invoice(desk.runtime)
    run(
        desk.runtime,
        "INSERT INTO audit_events (at, actor, action, subject, after)"
        " SELECT now() + make_interval(secs => n / 2), 'test', 'invoice.update', 'invoices:' || CAST(:id AS text),"
        "        jsonb_build_object('n', n) FROM generate_series(1, 130) AS n",
        id=invoice_id,
    )
    told, path = [], f"/invoices/{invoice_id}"
    while path:
        page = desk.get(path).text
        told.append(page.count('<li class="event'))
        path = page.partition("?before=")[2].partition('"')[0]
        path = path and f"/invoices/{invoice_id}?before={path}"
    assert sum(told) == 131
    assert len(told) == 3


def test_who_was_slower_sees_what_changed_by_whom_and_may_go_on(desk: Desk) -> None:
    runtime = desk.runtime
    invoice_id = an_invoice(runtime)
    path = f"/invoices/{invoice_id}"
    stale = form_of(desk.get(f"{path}/pause").text, f"{path}/pause")
    _as_ben(runtime, path)
    lost = desk.post(f"{path}/pause", {**stale, "until": ""})
    assert lost.status_code == 409
    shown = words(lost.text)
    assert "Somebody was faster" in shown
    assert "Reminders switched off" in shown
    assert "ben@desk.example" in shown
    assert look(runtime, invoice_id).paused_until is None
    again = form_of(lost.text, f"{path}/pause")
    assert again["version"] != stale["version"]
    assert desk.post(f"{path}/pause", again).status_code == 303
    assert look(runtime, invoice_id).paused_until is not None


def _as_ben(runtime: Runtime, path: str) -> None:
    """A colleague switches the reminders off meanwhile."""
    with TestClient(create_app(runtime), follow_redirects=False) as client:
        ben = Desk(client, runtime, email="ben@desk.example")
        assert send(ben, f"{path}/reminders", f"{path}/reminders").status_code == 303


def test_what_is_not_this_invoices_is_not_found_here(desk: Desk) -> None:
    mine, other = an_invoice(desk.runtime), an_invoice(desk.runtime, "B-1")
    booked = desk.post(f"/invoices/{other}/payments", {"amount": "5"})
    fact_id = one(desk.runtime, "SELECT id FROM money_facts")
    assert booked.status_code == 303
    desk.post(f"/invoices/{other}/nudges")
    letter = one(desk.runtime, "SELECT id FROM letters")
    assert desk.get(f"/invoices/{other}/letters/{letter}/raw").status_code == 200
    for path in (
        "/invoices/0",
        f"/invoices/{10**30}",
        f"/invoices/{mine}/letters/{letter}",
        f"/invoices/{mine}/letters/{letter}/raw",
        f"/invoices/{mine}/payments/{fact_id}/undo",
        f"/invoices/{mine}/close/burn",
    ):
        assert desk.get(path).status_code == 404, path
    for path in (f"payments/{fact_id}/undo", "promises/1/cancel", "disputes/1/resolve", "nudges/1/cancel", "reviews/1", f"payments/{10**30}/undo"):  # fmt: skip
        assert desk.post(f"/invoices/{mine}/{path}").status_code == 404, path
    assert one(desk.runtime, "SELECT voided_at FROM money_facts") is None


@pytest.mark.parametrize(
    "query", ["before=x", "before=", "before=2026-01-01", "before=%00", "sort=;drop table invoices"]
)
def test_a_strange_query_shows_the_page_all_the_same(desk: Desk, query: str) -> None:
    assert desk.get(f"/invoices/{an_invoice(desk.runtime)}?{query}").status_code == 200


def test_a_strange_form_is_refused_with_the_cure(desk: Desk) -> None:
    invoice_id = an_invoice(desk.runtime)
    for path, fields in (
        ("reminders", {"version": "one"}),
        ("reminders", {"version": "9" * 40}),
        ("disputes", {"message": "a\x00b"}),
        ("nudges", {"key": "'; drop table reminders"}),
    ):
        assert desk.post(f"/invoices/{invoice_id}/{path}", fields).status_code == 422, (path, fields)
    assert one(desk.runtime, "SELECT count(*) FROM audit_events WHERE actor LIKE 'operator:%'") == 0


ACTS = (
    "nudges", "reminders", "pause", "release", "payments", "payments/1/undo", "reviews/1", "promises",
    "promises/1/cancel", "disputes", "disputes/1/resolve", "close/void", "close/write-off", "reopen", "readings/1",
    "nudges/1/cancel", "document", "evidence",
)  # fmt: skip


def test_who_only_looks_is_offered_nothing_and_may_do_nothing(runtime: Runtime) -> None:
    invoice_id = an_invoice(runtime)
    with TestClient(create_app(runtime), follow_redirects=False) as client:
        viewer = Desk(client, runtime, role=Role.VIEWER)
        page = viewer.get(f"/invoices/{invoice_id}").text
        main = page.partition("<main")[2].partition("</main>")[0]
        assert "<form" not in main
        assert "Nudge now" not in main
        assert [one for one in ACTS if viewer.post(f"/invoices/{invoice_id}/{one}").status_code != 403] == []
        for path in ("nudges/new", "payments/new", "pause", "close/void", "release"):
            assert viewer.get(f"/invoices/{invoice_id}/{path}").status_code == 403
        for path in ("reminders", "pause", "document"):
            headers = {"X-CSRF-Token": viewer.csrf_token}
            assert client.delete(f"/invoices/{invoice_id}/{path}", headers=headers).status_code == 403


def test_a_page_costs_what_it_shows_and_not_what_is_stored(desk: Desk) -> None:
    """Statements of one view of an invoice, however many others there are."""
    from sqlalchemy import event

    invoice_id = an_invoice(desk.runtime)
    asked: list[str] = []
    event.listen(desk.runtime.db.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    desk.get(f"/invoices/{invoice_id}")
    few = len(asked)
    for number in range(6):
        an_invoice(desk.runtime, f"C-{number}", client_id=make_client(desk.runtime.db, f"c{number}"))
    asked.clear()
    desk.get(f"/invoices/{invoice_id}")
    assert len(asked) == few < 40
