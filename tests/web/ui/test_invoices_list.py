"""The list of invoices: found, narrowed, ordered, paged; and what garbage in the query string does to it: nothing."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from openpyxl import load_workbook
from sqlalchemy import text
from starlette.testclient import TestClient

from nudgepay import clock
from nudgepay.access.permissions import Role
from nudgepay.invoices.actions import create_client, create_invoice, pause_invoice
from nudgepay.invoices.models import Invoice
from nudgepay.nudges import invoice_list
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from web.ui.desk import Desk

NOW = clock.now()
TODAY = NOW.date()


@pytest.fixture
def books(runtime: Runtime) -> Iterator[Runtime]:
    """Three clients; invoices of four ages, three currencies, some of equal due date and amount."""
    rows = [
        ("Lindner GmbH", "INV-2026-0042", "EUR", 12_050, 40),
        ("Lindner GmbH", "INV-2026-0043", "EUR", 12_050, 5),
        ("Müller & Söhne", "INV-2026-0044", "EUR", 12_050, 5),
        ("Müller & Söhne", "INV-2026-0045", "JPY", 9_000, 5),
        ("Acme Ltd", "X-7", "USD", 700, -10),
        ("Acme Ltd", "X-8", "USD", 700, 100),
    ]
    with runtime.db.transaction() as session:
        ids: dict[str, int] = {}
        for name, number, currency, amount, late in rows:
            if name not in ids:
                ids[name] = create_client(
                    session,
                    name=name,
                    email=f"k{len(ids)}@x.example",
                    locale="en",
                    timezone="UTC",
                    country="DE",
                    actor="t",
                ).id
            due = TODAY - timedelta(days=late)
            create_invoice(
                session,
                client_id=ids[name],
                number=number,
                currency=currency,
                amount_due=amount,
                issued_on=due - timedelta(days=14),
                due_on=due,
                now=NOW,
                actor="t",
            )
    yield runtime


def numbers(page: str) -> list[str]:
    return re.findall(r'class="row-link" href="/invoices/\d+">([^<]+)</a>', page)


LISTS = [
    ("", ["X-8", "INV-2026-0042", "INV-2026-0043", "INV-2026-0044", "INV-2026-0045", "X-7"]),
    ("status=overdue&sort=-due", ["INV-2026-0045", "INV-2026-0044", "INV-2026-0043", "INV-2026-0042", "X-8"]),
    ("q=42", ["INV-2026-0042"]),
    ("q=0042", ["INV-2026-0042"]),
    ("q=lind+2026", ["INV-2026-0042", "INV-2026-0043"]),
    ("q=MÜLLER", ["INV-2026-0044", "INV-2026-0045"]),
    ("currency=usd&age=91%2B", ["X-8"]),
    ("age=1-30&currency=EUR", ["INV-2026-0043", "INV-2026-0044"]),
    ("age=current", ["X-7"]),
    ("sort=number&currency=USD", ["X-7", "X-8"]),
    ("sort=client&age=1-30", ["INV-2026-0043", "INV-2026-0044", "INV-2026-0045"]),
    ("sort=-amount", ["X-8", "X-7", "INV-2026-0045", "INV-2026-0044", "INV-2026-0043", "INV-2026-0042"]),
    ("status=paid", []),
    ("status=all&q=x", ["X-7", "X-8"]),
]
"""A query string, and the numbers that it shows."""


@pytest.mark.usefixtures("books")
def test_the_list_is_what_was_asked_for(desk: Desk) -> None:
    shown = [(query, numbers(desk.get(f"/invoices?{query}").text)) for query, _ in LISTS]
    assert shown == LISTS


@pytest.mark.usefixtures("books")
def test_pages_show_every_invoice_once_where_the_keys_are_equal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of a page, so that equal due dates, amounts and clients lie on both sides of a border."""
    for sort in ("due", "-due", "amount", "-amount", "number", "-number", "client"):
        monkeypatch.undo()
        whole = numbers(desk.get(f"/invoices?sort={sort}").text)
        monkeypatch.setattr(invoice_list.invoice_page, "__kwdefaults__", {"size": 2})
        path, found = f"/invoices?sort={sort}", list[str]()
        for _ in range(4):
            page = desk.get(path).text
            found += numbers(page)
            following = re.search(r'href="([^"]+)" rel="next"', page)
            if following is None:
                break
            path = following[1].replace("&amp;", "&")
        assert found == whole, sort
        assert len(found) == len(set(found)) == 6
        assert "First page" in page


def test_every_status_at_once_is_paged_in_order(desk: Desk, books: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    with books.db.transaction() as session:
        session.execute(
            text("UPDATE invoices SET status = 'void', closed_at = now() WHERE number IN ('X-7', 'INV-2026-0043')")
        )
        session.execute(text("UPDATE invoices SET status = 'draft' WHERE number = 'INV-2026-0045'"))
    whole = numbers(desk.get("/invoices?status=all").text)
    assert whole == ["X-7", "INV-2026-0045", "INV-2026-0044", "INV-2026-0043", "INV-2026-0042", "X-8"]
    monkeypatch.setattr(invoice_list.invoice_page, "__kwdefaults__", {"size": 4})
    first = desk.get("/invoices?status=all").text
    rest = re.search(r'href="([^"]+)" rel="next"', first)[1].replace("&amp;", "&")  # type: ignore[index]
    assert numbers(first) + numbers(desk.get(rest).text) == whole
    assert numbers(desk.get("/invoices?status=draft").text) == ["INV-2026-0045"]


ATTACKS = [
    {"q": "' OR 1=1 --"},
    {"q": "%" * 100},
    {"q": "_" * 100},
    {"q": "\\'); DROP TABLE invoices; --"},
    {"q": "a:* | b & !c <-> d"},
    {"q": "\x00\x07\u202e\ud83d\ude00"},
    {"q": "x" * 10_000},
    {"q": " ".join("abcdefghij" * 20)},
    {"sort": "due; DROP TABLE invoices"},
    {"sort": "(SELECT pg_sleep(10))"},
    {"sort": "-client"},
    {"status": "' OR ''='"},
    {"currency": "EU'"},
    {"age": "1-30 OR true"},
    {"client": "1 OR 1=1"},
    {"client": "9" * 30},
    {"client": "-1"},
    {"client": "²"},
    {"reason": "paused_until' OR '1'='1"},
    {"money_state": "paid' --"},
    {"after": "garbage"},
    {"after": "W10"},
    {"after": "WyJkdWUiLCIyMDI2LTAxLTAxIiwxXQ" * 40},
    {"after": "WyJkdWUiLCIyMDI2LTAxLTAxIiwgIjEgT1IgMT0xIl0"},
    {"after": "WyJkdWUiLCI5OTk5OTktMDEtMDEiLCA5OTk5OTk5OTk5OTk5OTk5OTk5OTk5XQ"},
]


def test_no_query_string_is_sql_or_hard_work(desk: Desk, books: Runtime) -> None:
    known = {"INV-2026-0042", "INV-2026-0043", "INV-2026-0044", "INV-2026-0045", "X-7", "X-8"}
    for attack in ATTACKS:
        query = {name: value.encode("utf-8", "replace").decode() for name, value in attack.items()}
        for status in ("open", "all"):
            started = clock.monotonic()
            page = desk.get("/invoices", params={"status": status, **query})
            assert page.status_code == 200, attack
            assert clock.monotonic() - started < 5, attack
            assert set(numbers(page.text)) <= known
            assert "q" not in query or numbers(page.text) == [], attack
    with books.db.transaction() as session:
        assert session.execute(text("SELECT count(*) FROM invoices")).scalar() == 6


def test_a_list_that_takes_too_long_is_given_up_and_says_so(
    desk: Desk, books: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invoice_list, "_count_query", lambda source: "SELECT count(*) FROM pg_sleep(30)")
    monkeypatch.setattr(invoice_list, "FIRST_PATIENCE_MS", 50)
    monkeypatch.setattr(invoice_list, "LONGEST_MS", 100)
    started = clock.monotonic()
    page = desk.get("/invoices?q=inv")
    assert page.status_code == 503
    assert "narrow it by a filter" in page.text
    assert clock.monotonic() - started < 5


def test_markup_in_names_is_only_text(desk: Desk, runtime: Runtime) -> None:
    evil = "<img src=x onerror=alert(1)>"
    with runtime.db.transaction() as session:
        client_id = create_client(
            session, name=f"{evil}</title>", email="k@x.example", locale="en", timezone="UTC", country="DE", actor="t"
        ).id
        id_ = create_invoice(
            session, client_id=client_id, number=f'"><script>{evil}', currency="EUR", amount_due=1, issued_on=TODAY,
            due_on=TODAY, description="javascript:alert(1)", now=NOW, actor="t",
        ).id  # fmt: skip
    desk.post("/invoices/views", {"name": evil, "query": f"client={client_id}"})
    with runtime.db.transaction() as session:
        version = session.get_one(Invoice, id_).version
    for page in (
        desk.get("/invoices"),
        desk.get(f"/invoices?client={client_id}&q=img&currency=EUR"),
        desk.get(f"/invoices?q={evil}"),
        desk.get(f"/invoices/new?client={client_id}"),
        desk.get(f"/invoices/{id_}/edit"),
        desk.post("/invoices/bulk", {"action": "pause", "row": [f"{id_}:{version}"], "back": f"/invoices?q={evil}"}),
        desk.post("/invoices/bulk/confirm", {"action": "pause", "row": [f"{id_}:999"], "back": "/account"}),
        desk.get("/account"),
    ):
        assert page.status_code in {200, 303}
        assert "<img src=x" not in page.text
        assert "<script>" not in page.text
        assert "</title>&" not in page.text


def test_next_steps_and_reasons_are_told(desk: Desk, books: Runtime) -> None:
    with books.db.transaction() as session:
        ids = dict(session.execute(text("SELECT number, id FROM invoices")).all())
        pause_invoice(
            session,
            session.get_one(Invoice, ids["INV-2026-0042"]),
            until=TODAY + timedelta(days=9),
            now=NOW,
            actor="t",
        )
        session.get_one(Invoice, ids["INV-2026-0044"]).amnesty_at = NOW
        session.execute(
            text(
                "INSERT INTO reminders (invoice_id, client_id, step, schedule_version, due_at, look_at, held_reason)"
                " SELECT id, client_id, '+3', 1, now(), now(), 'no_recipient' FROM invoices WHERE number = 'X-8'"
            )
        )
    page = desk.get("/invoices").text
    rows = {number: row for row in page.split("<tr>") if (number := next(iter(numbers(row)), None))}
    assert "Reminders are paused" in rows["INV-2026-0042"]
    assert "Imported when it was already overdue" in rows["INV-2026-0044"]
    assert "There is nobody to write to" in rows["X-8"]
    assert "with the next pass" in rows["INV-2026-0043"]
    assert re.search(r'<span class="chip">T-3</span> <time', rows["X-7"])
    assert numbers(desk.get("/invoices?reason=no_recipient").text) == ["X-8"]
    assert numbers(desk.get("/invoices?reason=any&q=x").text) == ["X-8"]
    assert numbers(desk.get("/invoices?reason=holiday").text) == []


def test_a_rename_of_a_client_is_found_at_once(desk: Desk, books: Runtime) -> None:
    with books.db.transaction() as session:
        session.execute(text("UPDATE clients SET name = 'Nordlicht KG' WHERE name LIKE 'Lindner%'"))
        session.execute(text("UPDATE invoices SET number = 'ZZ-0099' WHERE number = 'X-8'"))
    assert numbers(desk.get("/invoices?q=nordl").text) == ["INV-2026-0042", "INV-2026-0043"]
    assert numbers(desk.get("/invoices?q=lindner").text) == []
    assert numbers(desk.get("/invoices?q=99").text) == ["ZZ-0099"]


def test_more_than_a_thousand_are_not_counted(desk: Desk, books: Runtime) -> None:
    with books.db.transaction() as session:
        session.execute(
            text(
                "INSERT INTO invoices (number, client_id, currency, amount_due, amount_remaining, issued_on, due_on, token)"
                " SELECT 'M-' || n, (SELECT min(id) FROM clients), 'EUR', 1, 1, now(), now(), md5(n::text)"
                "   FROM generate_series(1, 1000) n"
            )
        )
    page = desk.get("/invoices").text
    assert "More than 1,000 invoices" in page
    assert len(numbers(page)) == 50
    assert "1,000 invoices" in desk.get("/invoices?q=m").text


def test_a_view_is_saved_renamed_replaced_deleted_and_brought_back(desk: Desk, books: Runtime) -> None:
    def tabs(page: str) -> list[str]:
        inside = page.split('id="views"')[1].split("</nav>")[0]
        return [re.sub(r"<[^>]+>", "", tab).strip() for tab in re.findall(r"<a [^>]+>(.*?)</a>", inside, re.DOTALL)]

    built_in = ["Open", "Overdue", "Held", "Needs review", "Paid"]
    assert tabs(desk.get("/invoices").text) == built_in
    saved = desk.post("/invoices/views", {"name": " Big  ones ", "query": "currency=EUR&sort=-amount&evil=1&after=x"})
    assert saved.headers["location"] == "/invoices?currency=EUR&sort=-amount"
    page = desk.told(saved)
    assert tabs(page) == [*built_in, "Big ones"]
    id_ = re.search(r'action="/invoices/views/(\d+)"', page)[1]  # type: ignore[index]
    assert "is called “Grosse”" in desk.told(desk.post(f"/invoices/views/{id_}", {"name": "Grosse"}))
    replaced = desk.told(desk.post("/invoices/views", {"name": "Grosse", "query": "status=paid&currency=USD"}))
    assert 'name="query" value="currency=EUR&amp;sort=-amount"' in replaced  # the way back
    gone = desk.told(desk.post(f"/invoices/views/{id_}/delete"))
    assert tabs(gone) == built_in
    assert 'name="query" value="status=paid&amp;currency=USD"' in gone
    for name in ("", " ", "x" * 41, "a\x07b"):
        assert "1 to 40 characters" in desk.told(desk.post("/invoices/views", {"name": name, "query": ""}))
    with TestClient(create_app(books), follow_redirects=False) as client:
        desk.post("/invoices/views", {"name": "Mine", "query": "currency=JPY"})
        with books.db.transaction() as session:
            mine = session.execute(text("SELECT id FROM saved_views")).scalar()
        other = Desk(client, books, Role.VIEWER, email="other@desk.example")
        assert tabs(other.get("/invoices").text) == built_in
        assert other.post(f"/invoices/views/{mine}/delete").status_code == 404
        assert other.post(f"/invoices/views/{mine}", {"name": "Yours"}).status_code == 404
    assert "Mine" in tabs(desk.get("/invoices").text)


def test_the_list_is_exported_whole_and_runs_nothing(desk: Desk, books: Runtime) -> None:
    with books.db.transaction() as session:
        session.execute(text("UPDATE invoices SET number = '=HYPERLINK(1)' WHERE number = 'INV-2026-0044'"))
        session.execute(text("UPDATE invoices SET description = 'A, \"B\"' WHERE number = 'INV-2026-0043'"))
    asked = {"query": "status=overdue&age=1-30"}
    sent = desk.post("/invoices/export", {**asked, "format": "csv"})
    assert 'attachment; filename="invoices-' in sent.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(sent.content.decode("utf-8-sig"))))
    assert [row["invoice_number"] for row in rows] == ["INV-2026-0043", "'=HYPERLINK(1)", "INV-2026-0045"]
    assert [row["amount"] for row in rows] == ["120.50", "120.50", "9000"]
    sheet = load_workbook(io.BytesIO(desk.post("/invoices/export", {**asked, "format": "xlsx"}).content)).active
    cells = [list(row) for row in sheet.iter_rows(min_row=2)]
    assert [row[6].value for row in cells] == ["INV-2026-0043", "=HYPERLINK(1)", "INV-2026-0045"]
    assert {row[6].data_type for row in cells} == {"s"}
    everything = desk.post("/invoices/export", {"query": "status=all&q=x&reason=any", "format": "csv"})
    assert len(everything.content.decode().splitlines()) == 1
    with books.db.transaction() as session:
        after = session.execute(
            text("SELECT after FROM audit_events WHERE action = 'export.run' ORDER BY id")
        ).scalars()
        assert next(iter(after)) == {"format": "csv", "status": "overdue", "by": ["age"]}


def test_who_may_not_take_the_books_away_is_refused(books: Runtime) -> None:
    with TestClient(create_app(books), follow_redirects=False) as client:
        operator = Desk(client, books, Role.OPERATOR)
        assert "/invoices/export" not in operator.get("/invoices").text
        assert operator.post("/invoices/export", {"format": "csv"}).status_code == 403
        auditor = Desk(client, books, Role.AUDITOR)
        assert auditor.post("/invoices/export", {"format": "csv"}).status_code == 200
        assert auditor.post("/invoices/export", {"format": "exe"}).status_code == 422


def test_an_empty_list_teaches(desk: Desk, runtime: Runtime) -> None:
    assert "No invoice yet" in desk.get("/invoices").text
    with runtime.db.transaction() as session:
        create_client(session, name="L", email="k@x.example", locale="en", timezone="UTC", country="DE", actor="t")
    assert "Nothing is overdue" in desk.get("/invoices?status=overdue").text
    assert "No invoice is like this" in desk.get("/invoices?currency=EUR").text
