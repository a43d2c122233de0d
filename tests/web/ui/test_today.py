"""Today: every number adds up and leads to the list behind it; what needs a person is on a list of its own."""

import re
from datetime import date, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from nudgepay import clock, ledger
from nudgepay.access.permissions import Role
from nudgepay.invoices.actions import close_invoice
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.owed import AGES, due_between
from nudgepay.money import format_money
from nudgepay.nudges.calendars import local_day
from nudgepay.nudges.disputes import open_dispute
from nudgepay.nudges.switch import pause_sending
from nudgepay.payments.actions import record_payment
from nudgepay.runtime import Runtime
from nudges.books import make_client, make_invoice, rows, value
from web.ui.desk import Desk

CELL = re.compile(r'class="age-amount" href="([^"]+)">([^<]+)<span[^>]*>([\d,]+) invoices?<')
LATE = {"current": 0, "1-30": 1, "31-60": 31, "61-90": 90, "91+": 91}


def today_of(runtime: Runtime) -> date:
    return local_day(clock.now(), runtime.settings.business_timezone)


def fill(runtime: Runtime) -> int:
    client = make_client(runtime.db, "ada", timezone="Europe/Berlin")
    day, number = today_of(runtime), 0
    for currency, most in (("EUR", 5), ("JPY", 3), ("KWD", 1)):
        for late in list(LATE.values())[:most]:
            for amount in (1_234_567, 89):
                number += 1
                make_invoice(
                    runtime.db,
                    client,
                    f"T-{number}",
                    due_on=day - timedelta(days=late),
                    amount=amount,
                    currency=currency,
                    now=clock.now(),
                )
    for number, status in ((1, "void"), (2, "uncollectible")):
        extra = make_invoice(runtime.db, client, f"X-{number}", due_on=day, amount=77_777, now=clock.now())
        with runtime.db.transaction() as session:
            close_invoice(session, session.get_one(Invoice, extra), status=status, now=clock.now(), actor="test")
    return client


def behind(runtime: Runtime, path: str) -> tuple[int, int, str]:
    """What the list behind a link holds: invoices, their sum, their currency."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    assert query.pop("status") == "open"
    first, last = due_between(query["age"], today=today_of(runtime))
    found = rows(
        runtime.db,
        "SELECT count(*), sum(amount_remaining) FROM invoices WHERE status = 'open' AND currency = :currency"
        " AND due_on BETWEEN coalesce(:first, date '0001-01-01') AND coalesce(:last, date '9999-12-31')",
        currency=query["currency"],
        first=first,
        last=last,
    )[0]
    return int(found[0]), int(found[1]), query["currency"]


def test_each_age_shows_what_its_list_holds_and_together_they_are_all_that_is_open(
    desk: Desk, runtime: Runtime
) -> None:
    fill(runtime)
    page = desk.get("/").text
    cells = [(unescape(path), unescape(amount), int(count)) for path, amount, count in CELL.findall(page)]
    assert len(cells) == 9
    shown: dict[str, int] = {}
    for path, amount, count in cells:
        number, total, currency = behind(runtime, path)
        assert (count, amount) == (number, format_money(total, currency, "en"))
        shown[currency] = shown.get(currency, 0) + total
    books = dict(
        map(
            tuple,
            rows(runtime.db, "SELECT currency, sum(amount_remaining) FROM invoices WHERE status = 'open' GROUP BY 1"),
        )
    )
    assert shown == {currency: int(total) for currency, total in books.items()}
    for currency, total in shown.items():
        link = f'href="/invoices?status=open&amp;currency={currency}">{format_money(total, currency, "en")}</a>'
        assert link in page
    assert {parse_qs(urlsplit(path).query)["age"][0] for path, _, _ in cells} == set(AGES)


def test_an_empty_installation_teaches_and_leads_on(desk: Desk) -> None:
    page = desk.get("/").text
    assert "Nothing is owed" in page
    for path in ("/import", "/clients/new", "/invoices/new", "/settings", "/plan"):
        assert f'href="{path}"' in page
    assert "0 of 4 done" in page or "1 of 4 done" in page
    assert "No letter is due" in page


def test_first_steps_end_with_the_first_letter(desk: Desk, runtime: Runtime) -> None:
    client = fill(runtime)
    assert "First steps" in desk.get("/").text
    with runtime.db.transaction() as session:
        contact = session.scalar(text("SELECT id FROM contacts"))
        session.execute(
            text(
                "INSERT INTO letters (id, client_id, contact_id, currency, amount, locale, to_address, message_id, token, state, subject, mime, looked_at, sending_at)"
                " VALUES (gen_random_uuid(), :client, :contact, 'EUR', 1, 'en', 'a@b.example', 'm', 't', 'accepted', 's', '', now(), now() - interval '90 days')"
            ),
            {"client": client, "contact": contact},
        )
    assert "First steps" not in desk.get("/").text


def test_the_next_letters_are_those_of_the_engine(desk: Desk, runtime: Runtime) -> None:
    client = make_client(runtime.db, "ada")
    first = make_invoice(runtime.db, client, "N-1", due_on=today_of(runtime) + timedelta(days=9), now=clock.now())
    make_invoice(runtime.db, client, "N-2", due_on=today_of(runtime) + timedelta(days=60), now=clock.now())
    page = desk.get("/").text
    assert f'href="/invoices/{first}">N-1</a>' in page
    assert "N-2" not in page
    with runtime.db.transaction() as session:
        pause_sending(session, reason="<b>a look</b> first", environment="test", actor="test")
    page = desk.get("/").text
    assert "Sending is paused" in page
    assert "&lt;b&gt;a look&lt;/b&gt; first" in page
    assert f'href="/invoices/{first}">N-1</a>' in page


def test_what_is_held_is_counted_by_invoice_and_says_how_it_ends(desk: Desk, runtime: Runtime) -> None:
    client = fill(runtime)
    with runtime.db.transaction() as session:
        session.execute(
            text(
                "INSERT INTO reminders (invoice_id, client_id, step, schedule_version, due_at, look_at, held_reason, state)"
                " SELECT id, :client, step, 1, now(), now(), CASE id % 3 WHEN 0 THEN 'disputed' ELSE 'no_recipient' END, state"
                "   FROM invoices, (VALUES ('DUE', 'planned'), ('manual', 'planned'), ('+3', 'skipped')) AS made (step, state) WHERE invoices.status = 'open'"
            ),
            {"client": client},
        )
    page = desk.get("/").text
    for reason in ("disputed", "no_recipient"):
        invoices = value(
            runtime.db,
            "SELECT count(DISTINCT invoice_id) FROM reminders WHERE state = 'planned' AND held_reason = :r",
            r=reason,
        )
        shown = re.search(rf'href="/invoices\?reason={reason}">.*?line-count">(\d+)<', page, re.DOTALL)
        assert shown is not None
        assert int(shown[1]) == invoices
    assert "until the client has a contact" in page


def test_what_came_in_adds_up_with_its_list(desk: Desk, runtime: Runtime) -> None:
    client = fill(runtime)
    now = clock.now()
    for number, (amount, days, kind) in enumerate(
        [(100, 0, "manual"), (2_000, 3, "manual"), (30_000, 29, "manual"), (400_000, 31, "manual"), (7, 1, "credit")]
    ):
        with runtime.db.transaction() as session:
            record_payment(
                session,
                client_id=client,
                amount=amount,
                currency="EUR",
                provider="bank",
                provider_id=f"p{number}",
                kind=kind,
                occurred_at=now - timedelta(days=days),
                targets=[],
                actor="test",
                now=now,
            )
    assert re.search(r'href="/payments\?currency=EUR">.*?€321\.00<.*?3 payments', desk.get("/").text, re.DOTALL)
    listed = desk.get("/payments?currency=eur").text
    assert len(re.findall(r"<tr><td", listed)) == 3
    assert "€321.00 in all" in listed
    assert "no invoice yet" in listed


def broken_promise(runtime: Runtime, client: int, name: str) -> None:
    with runtime.db.transaction() as session:
        ledger.notice(session, "promise.broken", f"promise.broken:{name}", {"client_id": client})


def test_what_needs_a_person_is_counted_listed_done_and_undone(desk: Desk, runtime: Runtime) -> None:
    client = fill(runtime)
    broken_promise(runtime, client, "1")
    with runtime.db.transaction() as session:
        invoice = session.scalar(text("SELECT min(id) FROM invoices WHERE status = 'open'"))
        open_dispute(
            session, invoice_id=invoice, amount=None, message="no", source="test", now=clock.now(), actor="payer"
        )
    page = desk.get("/").text
    assert "2 things need a person" in page
    assert re.search(r'href="/tasks\?kind=dispute.opened">.*?line-count">1<', page, re.DOTALL)
    tasks = {row.kind: row.id for row in rows(runtime.db, "SELECT id, kind FROM notices")}
    listed = desk.get("/tasks?kind=dispute.opened").text
    assert f'href="/invoices/{invoice}"' in listed
    assert "/done" not in listed
    assert desk.post(f"/tasks/{tasks['dispute.opened']}/done").status_code == 409
    told = desk.told(desk.post(f"/tasks/{tasks['promise.broken']}/done"))
    assert "Done." in told
    assert f'action="/tasks/{tasks["promise.broken"]}/again"' in told
    assert "1 thing needs a person" in desk.get("/").text
    assert desk.post(f"/tasks/{tasks['promise.broken']}/done").status_code == 409
    assert "on the list again" in desk.told(desk.post(f"/tasks/{tasks['promise.broken']}/again"))
    assert "2 things need a person" in desk.get("/").text
    audited = rows(runtime.db, "SELECT action FROM audit_events WHERE action LIKE 'notice.%' ORDER BY id")
    assert [row.action for row in audited] == ["notice.resolve", "notice.reopen"]


def test_pages_of_tasks_lose_and_repeat_nothing(desk: Desk, runtime: Runtime) -> None:
    client = fill(runtime)
    for number in range(120):
        broken_promise(runtime, client, str(number))
    seen: list[str] = []
    path: str | None = "/tasks?kind=promise.broken"
    while path:
        page = desk.get(path).text
        seen += re.findall(r'action="/tasks/(\d+)/done"', page)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        path = unescape(following[1]) if following else None
    assert len(seen) == len(set(seen)) == 120


@pytest.mark.parametrize(
    "path",
    [
        "/tasks?kind=%27;drop--&after=x_y",
        "/tasks?after=2026-01-01T00:00:00_1",
        "/tasks?after=9999-12-31T23:59:59p00:00_99999999999999999999",
        "/payments?currency=%27%22&after=%00_1",
        "/payments?after=2026-01-01T00:00:00p00:00_-1",
        "/tasks?kind=<script>alert(1)</script>",
    ],
)
def test_garbage_in_the_query_is_no_error_and_no_markup(desk: Desk, path: str) -> None:
    answer = desk.get(path)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text


def test_a_viewer_looks_and_is_offered_nothing_that_would_be_refused(client: TestClient, runtime: Runtime) -> None:
    broken_promise(runtime, fill(runtime), "1")
    viewer = Desk(client, runtime, role=Role.VIEWER)
    page = viewer.get("/").text
    assert "/invoices/new" not in page
    assert "First steps" not in page
    task = value(runtime.db, "SELECT id FROM notices")
    assert "/done" not in viewer.get("/tasks").text
    assert viewer.post(f"/tasks/{task}/done").status_code == 403
    assert viewer.post("/tasks/99999999999999999999/done").status_code in {403, 422}


def test_names_of_others_are_shown_and_never_run(desk: Desk, runtime: Runtime) -> None:
    evil: dict[str, Any] = {"name": '<img src=x onerror="alert(1)">'}
    client = make_client(runtime.db, "eve")
    with runtime.db.transaction() as session:
        session.execute(text("UPDATE clients SET name = :name"), evil)
    make_invoice(runtime.db, client, "</a><script>1", due_on=today_of(runtime) + timedelta(days=5), now=clock.now())
    broken_promise(runtime, client, "1")
    now: datetime = clock.now()
    with runtime.db.transaction() as session:
        record_payment(
            session,
            client_id=client,
            amount=5,
            currency="EUR",
            provider="bank",
            provider_id="p",
            kind="manual",
            occurred_at=now,
            targets=[],
            actor="test",
            now=now,
        )
    for path in ("/", "/tasks", "/payments", "/search?q=img", "/search/results?q=script"):
        page = desk.get(path).text
        assert "<img src=x" not in page
        assert "<script>1" not in page
        assert "&lt;" in page
