"""A file on its way into the books: looked at, mapped, checked, imported once, whoever dies meanwhile."""

import csv
import io
import re
import threading
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import text

from nudgepay import clock
from nudgepay.access.permissions import Role
from nudgepay.db import Database
from nudgepay.invoices.importing.rows import Defaults
from nudgepay.payments.uploads import working
from nudgepay.payments.uploads.actions import (
    ask_for_check,
    ask_for_import,
    forget_uploads,
    store_upload,
    upload_by_id,
)
from nudgepay.payments.uploads.choices import Choices
from nudgepay.payments.uploads.models import ImportUpload
from nudgepay.payments.uploads.working import run_upload, run_uploads
from nudgepay.runtime import Runtime
from nudgepay.web.ui.files import background
from web.ui.books import HOSTILE, add_client, csv_file, invoices_of
from web.ui.desk import Desk

DEFAULTS = Defaults("de", "Europe/Berlin", "DE")
GOOD = csv_file(
    "Lindner,klara@lindner.example,A-1,2099-03-31,EUR,480.00", "Park,m@park.example,A-2,2020-01-31,USD,99.50"
)


@pytest.fixture(autouse=True)
def every_small_file_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, the next page tells the end."""
    monkeypatch.setattr(background, "AWAITED_SECONDS", 60.0)


def bring(desk: Desk, content: bytes, name: str = "invoices.csv", **fields: str) -> Response:
    return desk.post("/import", fields, files={"file": (name, content, "text/csv")})


def brought(desk: Desk, content: bytes, **fields: str) -> str:
    """The path of the upload's page."""
    answer = bring(desk, content, **fields)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removesuffix("/columns")


def upload_of(runtime: Runtime, path: str) -> ImportUpload:
    with runtime.db.transaction() as session:
        return upload_by_id(session, int(path.rsplit("/", 1)[1]), content=True)


def test_a_file_is_shown_before_it_is_imported_and_imported_once(desk: Desk, runtime: Runtime) -> None:
    path = brought(desk, GOOD)
    preview = desk.get(path).text
    assert "Nothing is on the books yet" in preview
    assert "€480.00" in preview
    assert "waits for release" in preview
    assert invoices_of(runtime) == []
    page = desk.told(desk.post(f"{path}/run"))
    assert "1 invoice was overdue already and waits for you" in page
    assert "A-1" in page
    first = invoices_of(runtime)
    assert [(one.number, one.amount_due, one.amnesty_at is not None) for one in first] == [
        ("A-1", 48_000, False),
        ("A-2", 9_950, True),
    ]
    desk.told(desk.post(f"{path}/run"))
    assert len(invoices_of(runtime)) == 2
    assert upload_of(runtime, path).content is None
    again = brought(desk, GOOD)
    assert "Everything in this file is on the books already" in desk.get(again).text
    assert "invoices.csv" in desk.get("/import").text


def test_every_fault_names_line_column_value_and_cure_and_comes_as_a_file(desk: Desk, runtime: Runtime) -> None:
    path = brought(
        desk,
        csv_file(
            "Lindner,=cmd|x@y,A-1,2099-03-31,EUR,480.00",
            "Park,m@park.example,A-2,31.12.2099,EUR,1.2.3",
            f"{HOSTILE},m@p.example,A-3,2099-01-01,XXZ,1",
        ),
    )
    page = desk.get(path).text
    assert "4 things are wrong, and nothing was imported" in page
    assert "Give one e-mail address" in page
    assert "1.2.3" in page
    assert "<script>alert" not in page
    answer = desk.get(f"{path}/errors.csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row[0], row[1], row[2]) for row in rows[1:]] == [
        ("2", "client_email", "'=cmd|x@y"),
        ("3", "due_on", "31.12.2099"),
        ("3", "amount", "1.2.3"),
        ("4", "currency", "XXZ"),
    ]
    assert desk.post(f"{path}/run").status_code == 409
    assert invoices_of(runtime) == []


def test_an_unknown_file_is_mapped_by_hand_and_the_mapping_is_kept(desk: Desk, runtime: Runtime) -> None:
    header = "Kunde;Mail;Nummer;Fällig;Betrag"
    content = csv_file("Lindner;klara@lindner.example;A-1;31.03.2099;1.480,00", header=header)
    answer = bring(desk, content)
    assert answer.headers["location"].endswith("/columns")
    path = answer.headers["location"].removesuffix("/columns")
    page = desk.get(f"{path}/columns").text
    assert "1.480,00" in page
    assert page.count(" selected>Client: e-mail address *") == page.count(" selected>Invoice: due on *") == 1
    assert "Fällig" in page
    fields = {
        "how": "columns",
        "column-0": "client_name",
        "column-1": "client_email",
        "column-2": "invoice_number",
        "column-3": "due_on",
    }
    lacking = desk.post(f"{path}/columns", {**fields, "locale": "de", "due_days": "soon"})
    assert lacking.status_code == 422
    assert "number of days" in lacking.text
    lacking = desk.post(f"{path}/columns", {**fields, "locale": "de", "currency": "EUR"})
    assert "No column fills: Invoice: amount." in lacking.text
    assert re.search(r'value="client_email" selected', lacking.text)
    full = {**fields, "column-4": "amount", "locale": "de", "currency": "EUR", "save_as": "Kanzlei"}
    page = desk.told(desk.post(f"{path}/columns", full))
    assert "€1,480.00" in page
    assert invoices_of(runtime) == []
    next_month = csv_file("Lindner;klara@lindner.example;A-9;30.04.2099;10,00", header=header)
    assert "your mapping Kanzlei" in desk.get(brought(desk, next_month)).text
    desk.told(desk.post("/import/mappings/delete", {"name": "Kanzlei"}))
    assert "Kanzlei" not in desk.get("/import").text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "holds no table"),
        (b"a\x00b,c\n1,2\n", "NUL"),
        (b"PK\x03\x04rubbish", "workbook"),
        (b"x" * (10 * 2**20 + 1), "10 MB"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_beside_its_field(
    desk: Desk, runtime: Runtime, content: bytes, told: str
) -> None:
    answer = bring(desk, content)
    assert answer.status_code == 422
    assert told in answer.text
    assert 'aria-invalid="true"' in answer.text
    with runtime.db.transaction() as session:
        assert session.query(ImportUpload).count() == 0


def test_bodies_and_parts_without_measure_are_refused_before_parsing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A50: a million fields or parts, or more than a file may have, never reach a parser; strangers send no file."""

    def parsed(*_: Any, **__: Any) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr("starlette.formparsers.MultiPartParser.__init__", parsed)
    monkeypatch.setattr("starlette.formparsers.FormParser.__init__", parsed)
    ask, multipart = desk.client.post, {"content-type": "multipart/form-data; boundary=b", "accept": "text/html"}
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    assert ask("/import", content=part * 200_000, headers=multipart).status_code == 413
    assert ask("/import", content=part * 60, headers=multipart).status_code == 413
    assert ask("/import", content=b"x" * (20 * 2**20 + 1), headers=multipart).status_code == 413
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert ask("/import", content=b"a=1&" * 1_000_000, headers=form).status_code == 413
    assert ask("/clients/new", content=b"a&" * 3_000, headers=form).status_code == 413
    assert ask("/clients/new", content=part * 2_000, headers=multipart).status_code == 413
    desk.client.cookies.clear()
    assert ask("/import", content=b"x" * 100_000, headers=multipart).status_code == 413


def test_what_dies_midway_is_done_by_another_and_only_once(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in the middle, nothing is written; killed after, it is done; two at once, one of them does it."""
    upload_id = _checked(runtime)
    now = clock.now()

    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with runtime.db.transaction() as session:
        ask_for_import(session, upload_id, actor="test")
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(working, "_settle_import", die)
        run_upload(runtime.db, upload_id, defaults=DEFAULTS, now=now)
    assert invoices_of(runtime) == []
    assert _state(runtime, upload_id) == "importing"
    outcomes: list[object] = []
    threads = [threading.Thread(target=lambda: outcomes.append(_run_beside(runtime, upload_id))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outcomes.count(True) == 1
    assert len(invoices_of(runtime)) == 2
    assert run_uploads(runtime.db, defaults=DEFAULTS, now=now) == {"files": 0, "failed": 0}


def test_a_file_that_costs_three_processes_their_life_is_not_tried_again(runtime: Runtime, desk: Desk) -> None:
    upload_id = _stored(runtime)
    with runtime.db.transaction() as session:
        ask_for_check(session, upload_id, Choices())
        session.execute(text("UPDATE import_uploads SET attempts = 3"))
    assert run_upload(runtime.db, upload_id, defaults=DEFAULTS, now=clock.now()) is None
    assert "interrupted again and again" in desk.get(f"/import/{upload_id}").text
    assert "Nothing is on the books yet" in desk.told(desk.post(f"/import/{upload_id}/check"))


def test_progress_is_told_while_it_lasts_and_leads_to_the_end(desk: Desk, runtime: Runtime) -> None:
    upload_id = _stored(runtime)
    with runtime.db.transaction() as session:
        ask_for_check(session, upload_id, Choices())
        session.execute(text("UPDATE import_uploads SET rows_done = 12000"))
    page = desk.get(f"/import/{upload_id}").text
    assert "12,000 rows so far" in page
    assert 'hx-trigger="every 1s"' in page
    run_uploads(runtime.db, defaults=DEFAULTS, now=clock.now())
    answer = desk.client.get(f"/import/{upload_id}", headers={"HX-Request": "true"})
    assert answer.headers["hx-redirect"] == f"/import/{upload_id}"


def test_a_file_is_thrown_away_by_hand_or_after_a_week_but_not_once_it_is_imported(
    desk: Desk, runtime: Runtime
) -> None:
    path = brought(desk, GOOD)
    desk.told(desk.post(f"{path}/discard"))
    assert desk.get(path).status_code == 404
    assert desk.post(f"{path}/run").status_code == 409
    old = _stored(runtime)
    with runtime.db.transaction() as session:
        session.execute(
            text("UPDATE import_uploads SET updated_at = now() - interval '8 days' WHERE id = :id"), {"id": old}
        )
        assert forget_uploads(session) == 1
    imported = brought(desk, GOOD)
    desk.post(f"{imported}/run")
    assert desk.post(f"{imported}/discard").status_code == 409
    assert desk.get(f"{imported}/columns").status_code == 409


def test_a_changed_invoice_shows_what_it_was_and_what_it_becomes(desk: Desk, runtime: Runtime) -> None:
    desk.post(f"{brought(desk, GOOD)}/run")
    changed = csv_file(
        "Lindner,klara@lindner.example,A-1,2099-04-30,EUR,500.00", "Other,o@o.example,A-2,2020-01-31,USD,99.50"
    )
    assert "on the books with another client" in desk.get(brought(desk, changed)).text
    page = desk.get(brought(desk, csv_file("Lindner,klara@lindner.example,A-1,2099-04-30,EUR,500.00"))).text
    assert '<span class="diff-gone">2099-03-31</span>' in page
    assert '<div class="diff-gone">€480.00</div>' in page


def test_released_invoices_are_chased_after_a_look_at_what_would_go(desk: Desk, runtime: Runtime) -> None:
    rows = [f"Client {n},c{n}@c.example,A-{n},2020-01-31,EUR,10.00" for n in range(1, 8)]
    path = brought(desk, csv_file(*rows, "Late,l@l.example,Z-1,2099-01-31,EUR,5.00"))
    desk.post(f"{path}/run")
    other = add_client(runtime, "Client 7b")
    listed = desk.get(f"/amnesty?import={path.rsplit('/', 1)[1]}").text
    assert "7 invoices" in listed
    one = invoices_of(runtime)[0]
    preview = desk.get(f"/amnesty/release?invoice={one.id}").text
    assert "Release 1 invoice" in preview
    assert "€10.00" in preview
    assert one.amnesty_at == invoices_of(runtime)[0].amnesty_at
    assert "1 invoice is released." in desk.told(desk.post("/amnesty/release", {"invoice": one.id}))
    everything = desk.get("/amnesty/release?everything=1").text
    through = re.search(r'name="through" value="(\d+)"', everything)[1]  # type: ignore[index]
    desk.post(f"{brought(desk, csv_file('New,n@n.example,N-1,2020-01-31,EUR,10.00'))}/run")
    assert "6 invoices are released." in desk.told(
        desk.post("/amnesty/release", {"everything": "1", "through": through})
    )
    waiting = [invoice.number for invoice in invoices_of(runtime) if invoice.amnesty_at is not None]
    assert waiting == ["N-1"]
    assert other
    assert desk.get("/amnesty/release?invoice=x").status_code == 422
    operator = Desk(desk.client, runtime, Role.OPERATOR)
    assert operator.get("/amnesty").status_code == 403
    assert operator.post("/amnesty/release", {"everything": "1", "through": "999"}).status_code == 403


def _stored(runtime: Runtime) -> int:
    with runtime.db.transaction() as session:
        return store_upload(session, name="a.csv", content=GOOD, choices=Choices(), actor="test").id


def _checked(runtime: Runtime) -> int:
    upload_id = _stored(runtime)
    with runtime.db.transaction() as session:
        ask_for_check(session, upload_id, Choices())
    assert run_upload(runtime.db, upload_id, defaults=DEFAULTS, now=clock.now()) is True
    assert _state(runtime, upload_id) == "checked"
    return upload_id


def _state(runtime: Runtime, upload_id: int) -> str:
    with runtime.db.transaction() as session:
        return upload_by_id(session, upload_id).state


def _run_beside(runtime: Runtime, upload_id: int) -> bool | None:
    db = Database(runtime.db.url)
    try:
        return run_upload(db, upload_id, defaults=DEFAULTS, now=clock.now())
    finally:
        db.close()
