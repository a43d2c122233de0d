"""Making and editing invoices by form: refused beside the field, fixed once it is out, never over somebody's change."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from nudgepay import clock
from nudgepay.access.permissions import Role
from nudgepay.invoices.actions import create_client, create_invoice, pause_invoice
from nudgepay.invoices.models import Invoice
from nudgepay.nudges.planning import run_planning
from nudgepay.nudges.queries import load_calendar
from nudgepay.payments.actions import record_payment
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from web.ui.desk import Desk

NOW = clock.now()
TODAY = NOW.date()
NEW = {
    "number": "N-1",
    "description": "Chairs",
    "amount_due": "1,234.50",
    "currency": "eur",
    "issued_on": TODAY.isoformat(),
    "due_on": (TODAY + timedelta(days=30)).isoformat(),
    "schedule_name": "",
    "external_id": "",
    "action": "open",
}


@pytest.fixture
def client_id(runtime: Runtime) -> int:
    with runtime.db.transaction() as session:
        return create_client(
            session, name="<b>Lindner</b>", email="k@x.example", locale="en", timezone="UTC", country="DE", actor="t"
        ).id


@pytest.fixture
def invoice_id(runtime: Runtime, client_id: int) -> int:
    with runtime.db.transaction() as session:
        return create_invoice(
            session,
            client_id=client_id,
            number="E-1",
            currency="EUR",
            amount_due=10_000,
            issued_on=TODAY,
            due_on=TODAY + timedelta(days=10),
            now=NOW,
            actor="t",
        ).id


def invoice(runtime: Runtime, id_: int) -> Invoice:
    with runtime.db.transaction() as session:
        return session.get_one(Invoice, id_)


def fields_of(page: str) -> dict[str, str]:
    """What the form on the page would send."""
    inside = page.split('<form class="panel" method="post"', 1)[1].split("</form>")[0]
    found = dict(
        re.findall(
            r'<input (?:class="[^"]*" id="[^"]*"|type="hidden") name="(\w+)"(?: type="\w+")? value="([^"]*)"', inside
        )
    )
    found = {
        name: value.replace("&#34;", '"').replace("&lt;", "<").replace("&gt;", ">") for name, value in found.items()
    }
    chosen = re.search(r'<option value="([^"]*)" selected>', inside)
    return {**found, "schedule_name": chosen[1] if chosen else ""}


def test_the_client_comes_first_and_is_found_by_a_part_of_the_name(desk: Desk, client_id: int) -> None:
    assert f'href="/invoices/new?client={client_id}"' in desk.get("/invoices/new?q=lind").text
    assert "No client is called so" in desk.get("/invoices/new?q=zzz").text
    page = desk.get(f"/invoices/new?client={client_id}").text
    assert "&lt;b&gt;Lindner&lt;/b&gt;" in page
    assert "<b>Lindner" not in page


def test_an_invoice_is_made_from_what_was_typed_in_ones_own_language(
    desk: Desk, runtime: Runtime, client_id: int
) -> None:
    desk.post("/account", {"locale": "de"})
    made = desk.post("/invoices/new", {**NEW, "client": client_id, "amount_due": "1.234,50"})
    assert made.status_code == 303, made.text
    found = invoice(runtime, int(made.headers["location"].rpartition("/")[2]))
    assert (found.number, found.amount_due, found.currency, found.status) == ("N-1", 123_450, "EUR", "open")
    assert found.next_at is not None


REFUSED = [
    ({"number": " "}, "number", "This must not be empty."),
    ({"number": "E-1"}, "number", "Another invoice has this number."),
    ({"number": "E\x00-1", "amount_due": "x"}, "number", "Another invoice has this number."),
    ({"number": "a\x07b"}, "number", "invisible character"),
    ({"amount_due": "1.234,50"}, "amount_due", "Write an amount such as 1234.56"),
    ({"amount_due": "-3"}, "amount_due", "more than zero"),
    ({"amount_due": "1.5", "currency": "JPY"}, "amount_due", "Write an amount"),
    ({"currency": "XXY"}, "currency", "no currency code"),
    ({"due_on": "2026-02-30"}, "due_on", "Choose a day"),
    ({"due_on": "0999-01-01", "issued_on": "0998-01-01"}, "issued_on", "too far away"),
    ({"due_on": (TODAY - timedelta(days=1)).isoformat()}, "due_on", "before the day of issue"),
    ({"schedule_name": "'; DROP TABLE invoices --"}, "schedule_name", "no schedule"),
]
"""What is typed, the field beside which it is refused, and a part of what is told."""


@pytest.mark.usefixtures("invoice_id")
def test_what_cannot_be_used_is_refused_beside_its_field_and_stays_typed(desk: Desk, client_id: int) -> None:
    for typed, field, told in REFUSED:
        answer = desk.post("/invoices/new", {**NEW, "client": client_id, **typed})
        assert answer.status_code == 422, typed
        beside = re.search(rf'id="about-{field}">(.*?)</p>', answer.text, re.DOTALL)
        assert beside is not None, typed
        assert told in beside[1]
        assert 'value="Chairs"' in answer.text


def test_a_draft_is_silent_until_it_is_opened_after_a_look_at_its_letters(
    desk: Desk, runtime: Runtime, client_id: int
) -> None:
    fields = {**NEW, "client": client_id, "action": "draft", "issued_on": (TODAY - timedelta(days=20)).isoformat()}
    fields["due_on"] = (TODAY - timedelta(days=9)).isoformat()
    made = desk.post("/invoices/new", fields)
    path = made.headers["location"]
    id_ = int(path.rpartition("/")[2])
    later = NOW + timedelta(days=30)
    assert run_planning(runtime.db, now=later, calendar=load_calendar(runtime.settings)).planned == 0
    shown = desk.post(f"{path}/open", {"version": "1"}).text
    assert "Sent:" in shown
    assert invoice(runtime, id_).status == "draft"
    assert desk.post(f"{path}/open", {"version": "1", "confirmed": "yes"}).headers["location"] == path
    assert "N-1 is open." in desk.get("/account").text
    assert invoice(runtime, id_).status == "open"
    assert run_planning(runtime.db, now=later, calendar=load_calendar(runtime.settings)).planned > 0
    again = desk.post(f"{path}/open", {"version": "1", "confirmed": "yes"})
    assert again.headers["location"] == path
    assert invoice(runtime, id_).version == 2


def test_an_invoice_that_is_written_to_at_once_says_so_before_it_is_made(
    desk: Desk, runtime: Runtime, client_id: int
) -> None:
    fields = {
        **NEW,
        "client": client_id,
        "issued_on": (TODAY - timedelta(days=30)).isoformat(),
        "due_on": (TODAY - timedelta(days=9)).isoformat(),
    }
    shown = desk.post("/invoices/new", fields)
    with runtime.db.transaction() as session:
        count = session.execute(text("SELECT count(*) FROM invoices")).scalar()
    if "written to at once" in shown.text:  # no letter goes at a weekend
        assert count == 0
        assert desk.post("/invoices/new", {**fields, "action": "back"}).status_code == 200
        assert desk.post("/invoices/new", {**fields, "confirmed": "yes"}).status_code == 303
    else:
        assert count == 1


def test_a_change_of_the_due_date_shows_its_letters_first_and_wakes_the_engine(
    desk: Desk, runtime: Runtime, invoice_id: int
) -> None:
    later = NOW + timedelta(days=1)
    run_planning(runtime.db, now=NOW, calendar=load_calendar(runtime.settings))
    path = f"/invoices/{invoice_id}/edit"
    fields = fields_of(desk.get(path).text)
    assert fields["amount_due"] == "100.00"
    fields["due_on"] = (TODAY + timedelta(days=24)).isoformat()
    shown = desk.post(path, fields).text
    assert "No longer sent:" in shown
    assert "Sent:" in shown
    assert invoice(runtime, invoice_id).version == 1
    assert desk.post(path, {**fields, "confirmed": "yes"}).status_code == 303
    found = invoice(runtime, invoice_id)
    assert (found.due_on, found.version) == (TODAY + timedelta(days=24), 2)
    assert found.next_at is not None
    assert found.next_at <= clock.now() < later
    with runtime.db.transaction() as session:
        entry = session.execute(
            text("SELECT before, after, actor FROM audit_events WHERE action = 'invoice.edit'")
        ).one()
    assert entry.before == {"due_on": (TODAY + timedelta(days=10)).isoformat()}
    assert entry.after == {"due_on": (TODAY + timedelta(days=24)).isoformat(), "version": 2}
    assert entry.actor.startswith("operator:")


def test_an_edit_never_goes_over_what_somebody_changed_meanwhile(
    desk: Desk, runtime: Runtime, invoice_id: int
) -> None:
    path = f"/invoices/{invoice_id}/edit"
    mine = fields_of(desk.get(path).text)
    theirs = {**mine, "description": "Tables", "amount_due": "90.00", "confirmed": "yes"}
    assert desk.post(path, theirs).status_code == 303
    mine |= {"description": "Chairs & stools", "external_id": "K-9", "confirmed": "yes"}
    answer = desk.post(path, mine)
    assert answer.status_code == 409
    assert invoice(runtime, invoice_id).description == "Tables"
    assert "Somebody changed this invoice while you were editing" in answer.text
    merged = fields_of(answer.text)
    assert (merged["amount_due"], merged["external_id"], merged["version"]) == ("90.00", "K-9", "2")
    assert merged["description"] == "Chairs &amp; stools"
    assert ">Tables<" in answer.text
    assert desk.post(path, {**merged, "description": "Chairs & stools"}).status_code == 303
    found = invoice(runtime, invoice_id)
    assert (found.description, found.amount_due, found.external_id) == ("Chairs & stools", 9_000, "K-9")


def test_a_change_of_another_kind_is_a_conflict_too(desk: Desk, runtime: Runtime, invoice_id: int) -> None:
    path = f"/invoices/{invoice_id}/edit"
    fields = fields_of(desk.get(path).text)
    with runtime.db.transaction() as session:
        pause_invoice(session, session.get_one(Invoice, invoice_id), until=None, now=NOW, actor="t")
    answer = desk.post(path, {**fields, "description": "x"})
    assert answer.status_code == 409
    assert "a payment, a pause or another state" in answer.text


def test_the_amount_never_falls_below_what_is_paid_and_money_fixes_the_currency(
    desk: Desk, runtime: Runtime, invoice_id: int, client_id: int
) -> None:
    with runtime.db.transaction() as session:
        record_payment(
            session, client_id=client_id, amount=4_000, currency="EUR", provider="manual", provider_id="p1", kind="manual",
            occurred_at=NOW, targets=[{"invoice_id": invoice_id, "amount": 4_000}], actor="t", now=NOW,
        )  # fmt: skip
    path = f"/invoices/{invoice_id}/edit"
    page = desk.get(path).text
    assert "Money was paid for it" in page
    fields = fields_of(page)
    assert "currency" not in fields
    refused = desk.post(path, {**fields, "amount_due": "39.99", "currency": "USD", "confirmed": "yes"})
    assert refused.status_code == 422
    assert "So much is paid already: €40.00." in refused.text
    assert (
        desk.post(path, {**fields, "amount_due": "40.00", "currency": "USD", "confirmed": "yes"}).status_code == 303
    )
    found = invoice(runtime, invoice_id)
    assert (found.status, found.currency, found.amount_remaining) == ("paid", "EUR", 0)
    closed = desk.post(path, {**fields, "amount_due": "50.00", "confirmed": "yes"})
    assert closed.headers["location"] == f"/invoices/{invoice_id}"
    assert invoice(runtime, invoice_id).amount_due == 4_000


def test_what_a_letter_has_named_stays(desk: Desk, runtime: Runtime, invoice_id: int) -> None:
    with runtime.db.transaction() as session:
        session.execute(
            text(
                "INSERT INTO reminders (invoice_id, client_id, step, schedule_version, state, due_at, look_at)"
                " SELECT id, client_id, 'T-3', 1, 'accepted', now(), now() FROM invoices"
            )
        )
    page = desk.get(f"/invoices/{invoice_id}/edit").text
    assert page.count("A letter has named it") == 3  # client, number, currency
    sent = {**fields_of(page), "number": "OTHER", "client": "1", "description": "d", "confirmed": "yes"}
    assert desk.post(f"/invoices/{invoice_id}/edit", sent).status_code == 303
    assert invoice(runtime, invoice_id).number == "E-1"


def test_another_client_takes_the_waiting_letters_along(desk: Desk, runtime: Runtime, invoice_id: int) -> None:
    with runtime.db.transaction() as session:
        other = create_client(
            session, name="Other", email="o@x.example", locale="en", timezone="UTC", country="DE", actor="t"
        ).id
    run_planning(runtime.db, now=NOW + timedelta(days=20), calendar=load_calendar(runtime.settings))
    path = f"/invoices/{invoice_id}/edit"
    assert f'href="{path}?client={other}"' in desk.get(f"{path}?choose=client&q=oth").text
    fields = fields_of(desk.get(f"{path}?client={other}").text)
    assert desk.post(path, {**fields, "confirmed": "yes"}).status_code == 303
    with runtime.db.transaction() as session:
        assert session.execute(text("SELECT DISTINCT client_id FROM reminders")).scalars().all() == [other]
    assert invoice(runtime, invoice_id).client_id == other


def test_who_may_not_write_sees_no_form(runtime: Runtime, invoice_id: int) -> None:
    with TestClient(create_app(runtime), follow_redirects=False) as client:
        viewer = Desk(client, runtime, Role.VIEWER)
        for path in ("/invoices/new", f"/invoices/{invoice_id}/edit"):
            assert viewer.get(path).status_code == 403
            assert viewer.post(path, NEW).status_code == 403
        assert "New invoice" not in viewer.get("/invoices").text


def test_ids_that_are_none_lead_nowhere(desk: Desk) -> None:
    for id_ in ("0", "999999", "9" * 40):
        assert desk.get(f"/invoices/{id_}/edit").status_code == 404
        assert desk.post(f"/invoices/{id_}/open").status_code == 404
    assert desk.get(f"/invoices/new?client={'9' * 40}").status_code == 200
