"""A bank statement in the browser: read once, proposed, booked by a person's word, taken back, and nothing twice."""

import csv
import io
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import text
from starlette.testclient import TestClient

from nudgepay import clock
from nudgepay.access.permissions import Role
from nudgepay.invoices.importing.rows import Defaults
from nudgepay.payments.statements.choices import StatementChoices
from nudgepay.payments.statements.storing import import_statement
from nudgepay.payments.uploads import working
from nudgepay.payments.uploads.actions import ask_for_import, store_upload
from nudgepay.payments.uploads.models import STATEMENT, ImportUpload
from nudgepay.payments.uploads.working import run_upload, run_uploads
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from web.ui.books import HOSTILE, add_client, add_invoice
from web.ui.desk import Desk
from web.ui.reading_forms import form_of

HOME = "/payments/statements"
CAMT = Path(__file__).parents[2] / "payments" / "statements" / "camt053-v02-schema.xml"
DEFAULTS = Defaults("de", "Europe/Berlin", "DE")
HEADER = "booked_on,amount,currency,counterparty,reference,purpose,id"


def day() -> str:
    return clock.now().date().isoformat()


def statement(*rows: str, header: str = HEADER) -> bytes:
    """Rows of `AMOUNT|PAYER|PURPOSE`, all of today and in EUR."""
    lines = [f'{day()},{amount},EUR,{payer},,"{purpose}",' for amount, payer, purpose in (r.split("|") for r in rows)]
    return "\n".join((header, *lines, "")).encode()


def bring(desk: Desk, content: bytes, name: str = "november.csv") -> Response:
    return desk.post(HOME, files={"file": (name, content, "text/csv")})


def brought(desk: Desk, content: bytes, name: str = "november.csv") -> str:
    """The path of the statement that a file became."""
    answer = bring(desk, content, name)
    assert answer.status_code == 303, answer.text
    moved = desk.get(answer.headers["location"])
    assert moved.status_code == 303, moved.text
    return moved.headers["location"]


def value(runtime: Runtime, query: str, **given: Any) -> Any:
    with runtime.db.transaction() as session:
        return session.scalar(text(query), given)


def line_of(runtime: Runtime, purpose: str) -> int:
    return int(value(runtime, "SELECT id FROM bank_lines WHERE purpose = :purpose", purpose=purpose))


def state_of(runtime: Runtime, line_id: int) -> str:
    return str(value(runtime, "SELECT state FROM bank_lines WHERE id = :id", id=line_id))


def open_on(runtime: Runtime, number: str) -> int:
    return int(value(runtime, "SELECT amount_remaining FROM invoices WHERE number = :number", number=number))


def facts(runtime: Runtime) -> int:
    """Payments on the books that count."""
    return int(value(runtime, "SELECT count(*) FROM money_facts WHERE voided_at IS NULL"))


@pytest.fixture
def books(runtime: Runtime) -> dict[str, int]:
    """Ada owes A-1 and A-2, Bob owes B-1; 100.00 EUR each."""
    ada, bob = add_client(runtime, "Ada Verlag"), add_client(runtime, "Bob Bau", email="bob@bau.example")
    owed = {"A-1001": ada, "A-1002": ada, "B-2001": bob}
    return {"ada": ada, "bob": bob} | {number: add_invoice(runtime, who, number) for number, who in owed.items()}


def test_each_line_says_what_it_may_be_and_why(desk: Desk, runtime: Runtime, books: dict[str, int]) -> None:
    assert "No statement yet" in desk.get(HOME).text
    path = brought(
        desk,
        statement(
            "100.00|Ada|Rechnung A-1001",
            "40.00|Ada|A-1002 erste Rate",
            "105.00|Bob|B-2001",
            "100.00|Unknown|without a number",
            "0.42|Hausbank|Zinsen",
        ),
    )
    page = desk.get(path).text
    headings = ["Certain", "To decide", "No invoice fits"]
    assert [heading for heading in headings if f"<h2>{heading} <" not in page] == []
    assert [
        mark for mark in ("A part", "More than is open", "Several ways fit") if f">{mark}</span>" not in page
    ] == []
    assert "names A-1001 · the amount is what is open" in page
    assert "a part: €60.00 less than is open" in page
    assert "€5.00 left over" in page
    assert "Book 1 certain line" in page
    assert facts(runtime) == 0
    assert "5 lines wait for you" in desk.get(HOME).text
    assert "november.csv" in desk.get(HOME).text
    assert f'href="{HOME}/waiting"' in desk.get("/tasks?kind=statement.waiting").text
    assert "3 ways are equally good" in page
    german = desk.client.get(path, headers={"accept": "text/html", "accept-language": "de"}).text
    assert "ein Teil: 60,00" in german


def test_one_press_books_a_line_and_one_press_takes_it_back(
    desk: Desk, runtime: Runtime, books: dict[str, int]
) -> None:
    path = brought(desk, statement("100.00|Ada|A-1001", "100.00|Ada|A-1002"))
    line = line_of(runtime, "A-1001")
    page = desk.told(
        desk.post(f"{HOME}/lines/{line}/book", form_of(desk.get(path).text, f"{HOME}/lines/{line}/book"))
    )
    assert "€100.00 booked." in page
    assert (state_of(runtime, line), open_on(runtime, "A-1001")) == ("confirmed", 0)
    undo = form_of(page, f"{HOME}/lines/{line}/undo")
    assert "the line waits again" in desk.told(desk.post(f"{HOME}/lines/{line}/undo", undo))
    assert (state_of(runtime, line), open_on(runtime, "A-1001"), facts(runtime)) == ("waiting", 10_000, 0)
    assert "the line waits again" in desk.told(desk.post(f"{HOME}/lines/{line}/undo", undo))
    desk.post(f"{HOME}/lines/{line}/book", form_of(desk.get(path).text, f"{HOME}/lines/{line}/book"))
    assert desk.post(f"{HOME}/lines/{line}/undo", undo).status_code == 303
    assert (open_on(runtime, "A-1001"), facts(runtime)) == (0, 1), "an old page undoes no new payment"
    assert "What it paid" in desk.get(f"{HOME}/lines/{line}").text
    audited = "SELECT count(*) FROM audit_events WHERE action = 'bank_line.confirm' AND subject = :line"
    assert value(runtime, audited, line=f"bank_lines:{line}") == 2


def test_certain_lines_are_booked_together_after_a_look_at_their_sum(
    desk: Desk, runtime: Runtime, books: dict[str, int]
) -> None:
    path = brought(
        desk,
        statement(
            "100.00|Ada|A-1001", "100.00|Ada|A-1002", "100.00|Bob|B-2001", "100.00|Bob|B-2001 nochmal", "7|X|Y"
        ),
    )
    preview = desk.get(f"{path}/book").text
    assert "€300.00" in preview
    assert preview.count('name="line"') == 3
    assert "An earlier line pays the same invoice" in desk.get(path).text
    assert facts(runtime) == 0
    lines = re.findall(r'name="line" value="([^"]+)"', preview)
    page = desk.told(desk.post(f"{HOME}/lines/{line_of(runtime, 'A-1002')}/ignore", {"back": path}))
    assert "pays no invoice of yours" in page
    page = desk.told(desk.post(f"{HOME}/book", {"line": lines, "back": path}))
    assert "2 payments are booked. 1 line was left alone: Somebody has decided this line already" in page
    assert [open_on(runtime, number) for number in ("A-1001", "A-1002", "B-2001")] == [0, 10_000, 0]
    again = desk.told(desk.post(f"{HOME}/book", {"line": lines, "back": path}))
    assert "0 payments are booked." in again
    assert facts(runtime) == 2
    undo = form_of(page, f"{HOME}/unbook")
    assert "2 payments are taken back." in desk.told(desk.post(f"{HOME}/unbook", undo))
    assert facts(runtime) == 0
    assert "0 payments are taken back." in desk.told(desk.post(f"{HOME}/unbook", undo))


@pytest.mark.parametrize("line", ["x", "1", "1=2", "1=a:b", "1=2:-5", "1=2:99999999999999999999", "=1:1", "9" * 30])
def test_what_no_page_of_ours_wrote_books_nothing(desk: Desk, runtime: Runtime, line: str) -> None:
    assert desk.post(f"{HOME}/book", {"line": line}).status_code == 422
    assert desk.post(f"{HOME}/lines/1/book", {"parts": line}).status_code == 422
    assert facts(runtime) == 0


def test_a_person_corrects_a_proposal_and_money_is_never_lost(
    desk: Desk, runtime: Runtime, books: dict[str, int]
) -> None:
    brought(desk, statement("150.00|Ada|A-1001", "50.00|Bob|Danke", "30.00|Ada|Guthaben"))
    line = line_of(runtime, "A-1001")
    path, client = f"{HOME}/lines/{line}", {"client": books["ada"]}
    first, second = f"part-{books['A-1001']}", f"part-{books['A-1002']}"
    assert form_of(desk.get(path).text, path)[first] == "100.00"
    for typed, told in [
        ({first: "x"}, "Write an amount such as"),
        ({first: "100.00"}, "€50.00 is in no part"),
        ({first: "100.00", second: "80.00"}, "€30.00 more than came in"),
        ({}, "Write at least one amount"),
    ]:
        answer = desk.post(path, client | typed)
        assert (answer.status_code, told in answer.text) == (422, True), typed
    answer = desk.post(path, client | {first: "150.00"})
    assert (answer.status_code, "Less is open now" in answer.text) == (409, True)
    foreign = desk.post(path, client | {f"part-{books['B-2001']}": "50.00", first: "100.00"})
    assert (foreign.status_code, facts(runtime)) == (409, 0)
    assert desk.post(path, client | {first: "100.00", second: "50.00"}).status_code == 303
    assert [open_on(runtime, number) for number in ("A-1001", "A-1002")] == [0, 5_000]
    found = desk.get(f"{HOME}/lines/{line_of(runtime, 'Danke')}?q=B-2001").text
    assert f"?client={books['bob']}#other" in found
    credit = f"{HOME}/lines/{line_of(runtime, 'Guthaben')}"
    assert desk.post(credit, client | {"credit": "1"}).status_code == 303
    assert "€30.00" in desk.get(credit).text
    unapplied = "SELECT count(*) FROM notices WHERE kind = 'payment.unapplied_credit' AND resolved_at IS NULL"
    assert value(runtime, unapplied) == 1


def test_money_that_looks_the_same_needs_a_second_word(desk: Desk, runtime: Runtime, books: dict[str, int]) -> None:
    brought(desk, statement("100.00|Ada|A-1001", "100.00|Ada|A-1002"))
    line, other = line_of(runtime, "A-1001"), line_of(runtime, "A-1002")
    desk.post(f"{HOME}/lines/{line}/book", {"parts": f"{books['A-1001']}:10000"})
    page = desk.get(f"{HOME}/lines/{other}").text
    assert "Perhaps booked already" in page
    assert "Perhaps booked already" in desk.told(
        desk.post(f"{HOME}/lines/{other}/book", {"parts": f"{books['A-1002']}:10000"})
    )
    assert open_on(runtime, "A-1002") == 10_000
    desk.told(desk.post(f"{HOME}/lines/{other}/book", form_of(page, f"{HOME}/lines/{other}/book")))
    assert open_on(runtime, "A-1002") == 0


def test_two_people_at_once_book_a_line_once_and_the_slower_is_told(
    desk: Desk, runtime: Runtime, books: dict[str, int]
) -> None:
    path = brought(desk, statement("100.00|Ada|A-1001"))
    line = line_of(runtime, "A-1001")
    fields = {"parts": f"{books['A-1001']}:10000", "back": path}
    answers: list[str] = []
    with TestClient(create_app(runtime), follow_redirects=False) as client:
        desks = [desk, Desk(client, runtime, Role.OPERATOR, email="otto@desk.example")]

        def press(one: Desk) -> None:
            answers.append(one.told(one.post(f"{HOME}/lines/{line}/book", fields)))

        threads = [threading.Thread(target=press, args=(one,)) for one in desks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted("has booked this line already" in answer for answer in answers) == [False, True]
    assert (facts(runtime), open_on(runtime, "A-1001")) == (1, 0)


def test_what_is_not_ours_leaves_the_list_and_comes_back(desk: Desk, runtime: Runtime) -> None:
    path = brought(desk, statement("0.42|Hausbank|Zinsen"))
    line = line_of(runtime, "Zinsen")
    page = desk.told(desk.post(f"{HOME}/lines/{line}/ignore", {"reason": "interest", "back": path}))
    assert "interest" in desk.get(f"{path}?view=ignored").text
    assert "has said that this line is not yours" in desk.told(
        desk.post(f"{HOME}/lines/{line}/ignore", {"back": path})
    )
    desk.told(desk.post(f"{HOME}/lines/{line}/reopen", form_of(page, f"{HOME}/lines/{line}/reopen")))
    assert state_of(runtime, line) == "waiting"
    assert desk.post(f"{HOME}/lines/999/ignore").status_code == 404
    elsewhere = desk.post(f"{HOME}/lines/{line}/ignore", {"back": "https://evil.example/payments/statements"})
    assert elsewhere.headers["location"] == HOME


def test_the_same_file_again_adds_nothing_and_says_so(desk: Desk, runtime: Runtime, books: dict[str, int]) -> None:
    first = brought(desk, CAMT.read_bytes(), "camt.xml")
    page = desk.get(first).text
    assert "DE89 3704 0044 0532 0130 00" in page
    assert "Takes money back" in page
    assert "1 that went out (passed over), 1 that the bank has not booked yet (passed over)" in page
    answer = bring(desk, CAMT.read_bytes(), "again.xml")
    moved = desk.get(answer.headers["location"])
    assert moved.headers["location"] == first
    assert "read before, byte for byte: nothing was added" in desk.told(moved)
    overlapping = statement("100.00|Ada|A-1001")
    brought(desk, overlapping)
    later = brought(desk, overlapping + statement("5.00|Ada|x").split(b"\n", 1)[1])
    assert "2 lines that came in, 1 of them known from earlier files" in desk.get(later).text
    assert value(runtime, "SELECT count(*) FROM bank_lines") == 4


def test_an_unknown_banks_columns_are_said_once_and_seen_before_they_count(desk: Desk, runtime: Runtime) -> None:
    header = "Datum;Wert;Von;Text"
    content = "\n".join(("Konto;DE89370400440532013000;;", header, "31.03.2026;1.480,00;Ada;=cmd|' /C calc'!A0", ""))
    answer = bring(desk, content.encode())
    assert answer.headers["location"].endswith("/columns")
    path = answer.headers["location"].removesuffix("/columns")
    page = desk.get(f"{path}/columns").text
    assert "1.480,00" in page
    assert form_of(page, "")["column-0"] == "booked_on"
    fields = {"how": "columns", "column-0": "booked_on", "column-2": "counterparty", "column-3": "purpose"}
    lacking = desk.post(f"{path}/columns", fields)
    assert (lacking.status_code, "No column fills: Amount." in lacking.text) == (422, True)
    twice = desk.post(f"{path}/columns", {**fields, "column-1": "amount", "column-2": "amount"})
    assert (twice.status_code, "Two columns are chosen" in twice.text) == (422, True)
    iso = desk.told(desk.post(f"{path}/columns", {**fields, "column-1": "amount", "currency": "EUR"}))
    assert "2 things are wrong, and nothing was imported" in iso
    rows = list(csv.reader(io.StringIO(desk.get(f"{path}/errors.csv").content.decode("utf-8-sig"))))
    assert [(row[0], row[1], row[2]) for row in rows[1:]] == [("3", "Wert", "1.480,00"), ("3", "Datum", "31.03.2026")]
    full = {**fields, "column-1": "amount", "locale": "de", "currency": "EUR", "save_as": "Hausbank"}
    preview = desk.told(desk.post(f"{path}/columns", full))
    assert "€1,480.00" in preview
    assert value(runtime, "SELECT count(*) FROM bank_lines") == 0
    moved = desk.get(desk.post(f"{path}/run").headers["location"])
    assert "1 new line is kept." in desk.told(moved)
    assert desk.post(f"{path}/run").status_code == 303
    assert value(runtime, "SELECT count(*) FROM bank_lines") == 1
    brought(desk, content.replace("31.03", "30.04").encode())
    assert value(runtime, "SELECT format FROM bank_statements ORDER BY id DESC LIMIT 1") == "Hausbank"
    assert "Hausbank" in desk.get(HOME).text
    desk.told(desk.post(f"{HOME}/mappings/delete", {"name": "Hausbank"}))
    assert bring(desk, content.encode()).headers["location"].endswith("/columns")
    assert desk.get(path.replace(HOME + "/files", "/import")).status_code == 404


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "holds no table"),
        (b"dear sirs\nplease find enclosed\n", "no bank statement"),
        (b"PK\x03\x04rubbish", "ZIP archive"),
        (b"<html><body>log in</body></html>", "another kind of message"),
        (b"<Document><BkToCstmrStmt>", "no well-formed XML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "declares a document type"),
        (b"a\x00b,c\n1,2\n", "NUL"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "NUL"),
        (b"x" * (10 * 2**20 + 1), "10 MB"),
    ],
)
def test_a_file_that_is_no_statement_is_refused_beside_its_field(
    desk: Desk, runtime: Runtime, content: bytes, told: str
) -> None:
    answer = bring(desk, content)
    assert answer.status_code == 422
    assert told in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert value(runtime, "SELECT count(*) FROM import_uploads") == 0


def test_a_body_that_is_too_large_never_reaches_a_parser(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A50: a statement has its own bound, and strangers send no file at all."""

    def parsed(*_: Any, **__: Any) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr("starlette.formparsers.MultiPartParser.__init__", parsed)
    multipart = {"content-type": "multipart/form-data; boundary=b", "accept": "text/html"}
    assert desk.client.post(HOME, content=b"x" * (20 * 2**20 + 1), headers=multipart).status_code == 413
    assert desk.client.post(f"{HOME}/files/1/columns", content=b"x" * 100_000, headers=multipart).status_code == 413
    desk.client.cookies.clear()
    assert desk.client.post(HOME, content=b"x" * 100_000, headers=multipart).status_code == 413


def test_markup_in_a_remittance_text_is_only_text(desk: Desk, runtime: Runtime, books: dict[str, int]) -> None:
    path = brought(desk, statement(f"100.00|{HOSTILE}|A-1001 {HOSTILE}", f"1.00|X|{HOSTILE}"), f"{HOSTILE}.csv")
    line = line_of(runtime, f"A-1001 {HOSTILE}")
    for page in (
        HOME,
        path,
        f"{path}/book",
        f"{HOME}/waiting",
        f"{HOME}/lines/{line}",
        f"{HOME}/lines/{line}?q={HOSTILE}",
    ):
        answer = desk.get(page)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        assert "&lt;script&gt;alert" in answer.text


def test_only_who_may_book_payments_sees_statements(desk: Desk, runtime: Runtime, books: dict[str, int]) -> None:
    path = brought(desk, statement("100.00|Ada|A-1001"))
    line = line_of(runtime, "A-1001")
    operator = Desk(desk.client, runtime, Role.OPERATOR)
    assert operator.get(path).status_code == 200
    assert f'href="{HOME}"' in operator.get("/").text
    auditor = Desk(desk.client, runtime, Role.AUDITOR)
    assert f'href="{HOME}"' not in auditor.get("/").text
    for page in (HOME, path, f"{path}/book", f"{HOME}/waiting", f"{HOME}/lines/{line}", f"{HOME}/files/1"):
        assert auditor.get(page).status_code == 403, page
    for form in ("book", "unbook", f"lines/{line}", f"lines/{line}/book", f"lines/{line}/ignore", "files/1/run"):
        assert auditor.post(f"{HOME}/{form}", {"parts": f"{books['A-1001']}:10000"}).status_code == 403, form
    assert bring(auditor, b"x").status_code == 403
    assert facts(runtime) == 0


def test_a_large_file_goes_on_in_the_job_whoever_dies(
    desk: Desk, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle nothing is kept; told while it lasts; the next process keeps it once."""
    upload_id = _stored(runtime, statement("100.00|Ada|A-1001"))

    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(working, "_settle", die)
        run_upload(runtime.db, upload_id, defaults=DEFAULTS, now=clock.now())
    assert value(runtime, "SELECT count(*) FROM bank_lines") == 0
    with runtime.db.transaction() as session:
        session.execute(text("UPDATE import_uploads SET rows_done = 12000"))
    page = desk.get(f"{HOME}/files/{upload_id}").text
    assert "12,000 rows so far" in page
    assert 'hx-trigger="every 1s"' in page
    assert "november.csv" in desk.get(HOME).text
    assert run_uploads(runtime.db, defaults=DEFAULTS, now=clock.now()) == {"files": 1, "failed": 0}
    assert run_uploads(runtime.db, defaults=DEFAULTS, now=clock.now()) == {"files": 0, "failed": 0}
    answer = desk.client.get(f"{HOME}/files/{upload_id}", headers={"HX-Request": "true"})
    assert answer.headers["hx-redirect"] == f"{HOME}/files/{upload_id}"
    assert value(runtime, "SELECT count(*) FROM bank_lines") == 1
    with runtime.db.transaction() as session:
        kept = session.get_one(ImportUpload, upload_id)
        assert (kept.state, kept.content, kept.rows_done) == ("done", None, 1)


def test_progress_is_told_while_lines_are_kept(runtime: Runtime) -> None:
    told: list[int] = []
    content = statement(*(f"1.00|Ada|{number}" for number in range(2_500)))
    import_statement(runtime.db, content, now=clock.now(), actor="test", progress=told.append)
    assert told == [1_000, 2_000, 2_500]


def _stored(runtime: Runtime, content: bytes) -> int:
    with runtime.db.transaction() as session:
        choices = StatementChoices()
        upload = store_upload(
            session, name="november.csv", content=content, choices=choices, actor="test", kind=STATEMENT
        )
        ask_for_import(session, upload.id, actor="test", unseen=True)
        return upload.id
