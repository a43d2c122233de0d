"""A program's token over HTTP: made once, shown once, sent as a header, refused everywhere else, and never logged."""

import csv
import io
import re
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay.access.permissions import Role
from nudgepay.web.misses import PER_MINUTE
from nudgepay.web.ui.exports import pages, streams
from web.ui.desk import Desk
from web.ui.test_operators import beside

DOWNLOAD = "/exports/invoices/download"


def make(desk: Desk, *scopes: str, name: str = "nightly copy") -> str:
    page = desk.post("/tokens/new", {"name": name, "scope": list(scopes or ("books:export",)), "days": "30"}).text
    return re.search(r'value="(npt_\w+)"', page)[1]  # type: ignore[index]


def ask(desk: Desk, written: str, path: str = DOWNLOAD, method: str = "GET", **more: Any) -> Any:
    desk.client.cookies.clear()
    return desk.client.request(method, path, headers={"Authorization": f"Bearer {written}"}, **more)


def test_a_program_fetches_the_books_with_its_token_and_it_is_written_down(lived: Desk) -> None:
    written = make(lived)
    for table, needle in (("invoices", "invoice_number"), ("clients", "contact_email"), ("payments", "provider_id")):
        answer = ask(lived, written, f"/exports/{table}/download")
        assert answer.status_code == 200
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert rows
        assert needle in rows[0]
    assert len(ask(lived, written, "/exports/letters/download?format=json").json()) > 5
    assert ask(lived, written, f"{DOWNLOAD}?format=xlsx").content[:2] == b"PK"
    for path, status in ((f"{DOWNLOAD}?format=exe", 422), ("/exports/operators/download", 404)):
        assert ask(lived, written, path).status_code == status
    with lived.runtime.db.transaction() as session:
        query = "SELECT actor FROM audit_events WHERE action = 'export.run' ORDER BY id"
        actors = set(session.scalars(text(query)))
        assert len(actors) == 1
        assert re.fullmatch(r"token:\d+", actors.pop())
        assert session.scalar(text("SELECT last_used_at IS NOT NULL FROM service_tokens"))


def test_a_token_is_refused_with_a_reason_that_says_what_to_do(desk: Desk) -> None:
    written = make(desk)
    narrow = make(desk, "audit:read", name="auditor")
    unknown = "npt_" + "x" * 10 + "_" + "y" * 43
    missing = desk.client.get(DOWNLOAD, headers={"Authorization": "Basic b2xnYTpwYXNz"})
    assert missing.status_code == 401
    wrong = ask(desk, narrow)
    assert (wrong.status_code, 'scope="books:export"' in wrong.headers["www-authenticate"]) == (403, True)
    refused = ask(desk, unknown)
    assert (refused.status_code, refused.headers["www-authenticate"].startswith("Bearer")) == (401, True)
    in_url = desk.client.get(f"{DOWNLOAD}?token={written}")
    assert (in_url.status_code, "header" in in_url.json()["detail"]) == (401, True)
    for ending in ("expires_at = now()", "revoked_at = now()"):
        with desk.runtime.db.transaction() as session:
            session.execute(text(f"UPDATE service_tokens SET {ending} WHERE name = 'nightly copy'"))
        dead = ask(desk, written)
        assert (dead.status_code, dead.json()["detail"]) == (401, refused.json()["detail"])


def test_a_token_opens_no_page_and_no_form(desk: Desk) -> None:
    written = make(desk, "books:export", "audit:read")
    for method, path in (
        ("GET", "/"),
        ("GET", "/exports"),
        ("GET", "/tokens"),
        ("POST", "/invoices/export"),
        ("POST", "/exports/everything"),
        ("POST", "/tokens/new"),
        ("POST", "/tokens/1/revoke"),
        ("POST", "/session/refresh"),
    ):
        assert ask(desk, written, path, method).status_code == 401, path
    assert ask(desk, written, DOWNLOAD, "POST").status_code == 405


def test_guessing_a_prefix_is_slow_and_then_even_a_good_token_waits(desk: Desk) -> None:
    written = make(desk)
    prefix = written.rpartition("_")[0]
    for number in range(PER_MINUTE):
        assert ask(desk, f"{prefix}_{number:043d}").status_code == 401
    late = ask(desk, written)
    assert (late.status_code, int(late.headers["retry-after"]) <= 60) == (429, True)


def test_no_part_of_a_token_reaches_the_log(
    desk: Desk, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("ERROR", logger="httpx2")  # the asking client has a log of its own
    written = make(desk)
    ask(desk, written)
    ask(desk, written[:-1] + "~")
    desk.client.get(f"{DOWNLOAD}?token={written}")
    told = "".join(capsys.readouterr())
    assert "/exports/{table}/download" in told
    assert written[15:] not in told
    assert written.split("_")[2][:8] not in told


def test_a_token_is_shown_once_and_revoked_for_good(desk: Desk) -> None:
    written = make(desk)
    listed = desk.get("/tokens").text
    assert written.rpartition("_")[0] in listed
    assert written.rpartition("_")[2] not in listed
    number = re.search(r"/tokens/(\d+)/revoke", listed)[1]  # type: ignore[index]
    before = desk.get(f"/tokens/{number}/revoke").text
    assert "final" in before
    assert "is revoked" in desk.told(desk.post(f"/tokens/{number}/revoke"))
    assert f"/tokens/{number}/revoke" not in desk.get("/tokens").text
    assert "no undo" in before
    assert ask(desk, written).status_code == 401


def test_a_form_without_name_or_task_makes_nothing(desk: Desk) -> None:
    for fields in (
        {"name": " ", "scope": "books:export"},
        {"name": "a"},
        {"name": "a", "scope": "operator:write"},
        {"name": "a", "scope": "books:export", "days": "366"},
        {"name": "x" * 61, "scope": "books:export"},
    ):
        assert desk.post("/tokens/new", fields).status_code == 422
    with desk.runtime.db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM service_tokens")) == 0
    manager = beside(desk, Role.MANAGER, "mia@desk.example")
    assert "/tokens/new" not in manager.get("/tokens").text
    assert manager.post("/tokens/new", {"name": "a", "scope": "books:export"}).status_code == 403


def test_a_long_answer_ends_when_its_reader_loses_the_right(lived: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", 200)
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.0)
    looks: list[Any] = []

    def watched(*arguments: Any, may_read: Any, **more: Any) -> Any:
        looks.append(may_read)
        return streams.file_of(*arguments, may_read=may_read, **more)

    monkeypatch.setattr(pages, "file_of", watched)
    written = make(lived)
    browser = beside(lived, Role.AUDITOR, "ida@desk.example")
    whole = ask(lived, written).content
    assert browser.get(DOWNLOAD).content == whole
    program_may, person_may = looks
    assert (program_may(), person_may()) == (True, True)
    with lived.runtime.db.transaction() as session:
        session.execute(text("UPDATE operators SET role = 'viewer'"))
    assert (program_may(), person_may()) == (False, False)
    answers = iter([True, True, False])
    parts = streams.file_of(lived.runtime, pages.TABLES["invoices"], {}, kind="csv", may_read=lambda: next(answers))
    with pytest.raises(streams.NoLongerAllowed):
        assert len(b"".join(parts)) < len(whole)
    assert lived.runtime.db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
