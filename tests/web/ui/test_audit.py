"""The audit log as people read it: sentences, filters, pages, exports, and the state of its chain."""

import ast
import csv
import hashlib
import io
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

import nudgepay
from audit.owner import as_superuser, tamper
from nudgepay import audit, clock
from nudgepay.access.permissions import Role
from nudgepay.audit.listing import AuditFilter, audit_events
from nudgepay.audit.running import seal_log
from nudgepay.db import Database
from nudgepay.readiness.audit_log import check_audit_log
from nudgepay.web.ui.audit.listing import PAGE_SIZE
from nudgepay.web.ui.audit.words import ACTIONS
from web.ui.desk import Desk
from web.ui.invoice_books import an_invoice, one

SOURCE = Path(nudgepay.__file__).parent
BEGINNINGS = {"invoice.", "letter.", "mailing.", "payment_claim.", "promise.", "bank_line."}
"""What actions that are put together begin with: their ends are states."""
WORDS = re.compile(r"<[^>]+>")


def _plain(page: str) -> str:
    return re.sub(r"\s+", " ", WORDS.sub(" ", page))


def _act(
    db: Database, subject: str, action: str = "test.act", actor: str = "cli:ada", **more: dict[str, object]
) -> None:
    with audit.acting_from("web:203.0.113.7 Mozilla/5.0 (X11)"), db.transaction() as session:
        audit.record(session, actor=actor, action=action, subject=subject, **more)


def test_every_action_of_the_sources_has_its_words() -> None:
    missing = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "record":
                for keyword in node.keywords:
                    if keyword.arg == "action":
                        missing |= {w for w in _words(keyword.value) if w not in ACTIONS}
    assert missing == set()


def _words(value: ast.expr) -> set[str]:
    if isinstance(value, ast.Constant):
        return {str(value.value)}
    if isinstance(value, ast.IfExp):
        return _words(value.body) | _words(value.orelse)
    return set()


def test_a_record_is_a_sentence_with_its_change_its_way_there_and_its_origin(desk: Desk) -> None:
    invoice_id = an_invoice(desk.runtime)
    number = one(desk.runtime, "SELECT number FROM invoices")
    desk.client.headers["user-agent"] = "Firefox/99 \x7f" + "x" * 500
    until = str(clock.now().date() + timedelta(days=9))
    assert desk.post(f"/invoices/{invoice_id}/pause", {"until": until}).status_code == 303
    page = desk.get("/audit").text
    assert f"olga@desk.example paused {number}" in _plain(page)
    assert f'href="/invoices/{invoice_id}"' in page
    assert until in page
    origin = one(desk.runtime, "SELECT origin FROM audit_events WHERE action = 'invoice.pause'")
    assert origin.startswith("web:")
    assert "Firefox/99" in origin
    assert len(origin) < 300
    assert origin.isprintable()
    _act(
        desk.runtime.db,
        f"invoices:{invoice_id}",
        "invoice.edit",
        before={"amount_due": 100, "currency": "EUR"},
        after={"amount_due": 99, "currency": "EUR"},
    )
    assert "€1.00 → €0.99" in _plain(desk.get("/audit").text)


def test_what_others_wrote_is_text_and_unknown_things_are_shown_as_they_are(desk: Desk) -> None:
    evil = '<img src=x onerror=alert(1)>" %(subject)s {{7*7}}'
    with audit.acting_from(evil), desk.runtime.db.transaction() as session:
        for subject in (evil, f"letters:{evil}", "invoices:99999999999999999999", "jobs:../../x"):
            audit.record(
                session, actor=evil, action=evil[:90], subject=subject, after={evil: evil}, before={evil: [evil]}
            )
    page = desk.get("/audit").text
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert 'href="/operations/jobs/.."' not in page


def test_filters_narrow_it_and_nothing_in_a_query_breaks_it(desk: Desk) -> None:
    db, invoice_id = desk.runtime.db, an_invoice(desk.runtime)
    number = one(desk.runtime, "SELECT number FROM invoices")
    _act(db, f"invoices:{invoice_id}", "invoice.void")
    _act(db, "clients:1", "client.pause", actor="job:nudge_pass")
    tamper(db, "UPDATE audit_events SET at = '2020-05-05 12:00Z' WHERE action = 'client.pause'")

    def found(query: str) -> list[str]:
        rows = re.findall(r"Record (\d+)", desk.get(f"/audit?{query}").text)
        return [one(desk.runtime, "SELECT action FROM audit_events WHERE id = :id", id=int(row)) for row in rows]

    assert found("action=invoice.void") == ["invoice.void"]
    assert found("who=job:nudge_pass") == ["client.pause"]
    assert "invoice.void" in found(f"subject={number}")
    assert set(found(f"subject=invoices:{invoice_id}")) == set(found(f"subject={number}"))
    assert found("since=2020-05-05&until=2020-05-05") == ["client.pause"]
    assert found("until=2020-05-04") == []
    assert "Nothing like that was recorded" in desk.get("/audit?until=2020-05-04").text
    whole = len(found(""))
    for query in (
        "since=x&until=9999-99-99",
        "before=xx",
        "before=WyIxIl0",
        "who=%00",
        "since=0001-01-01&until=9999-12-31",
    ):
        assert len(found(query)) == whole, query
    assert found("subject=%27%3B+DROP+TABLE+audit_events--") == []


def test_pages_lose_and_repeat_nothing_where_instants_are_equal(desk: Desk) -> None:
    with desk.runtime.db.transaction() as session:
        for number in range(2 * PAGE_SIZE + 7):
            audit.record(session, actor="cli:ada", action="test.many", subject=f"x:{number}")
    seen, path = [], "/audit?action=test.many"
    while path:
        page = desk.get(path).text
        seen += re.findall(r"Record (\d+)", page)
        following = re.search(r'href="(/audit[^"]+)" rel="next"', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert len(seen) == len(set(seen)) == 2 * PAGE_SIZE + 7
    assert seen == sorted(seen, key=int, reverse=True)


def test_who_may_not_read_it_gets_neither_page_nor_file(desk: Desk) -> None:
    for role, status in ((Role.VIEWER, 403), (Role.OPERATOR, 403), (Role.AUDITOR, 200)):
        other = Desk(desk.client, desk.runtime, role, email=f"{role}@desk.example")
        assert other.get("/audit").status_code == status, role
        assert other.post("/audit/export").status_code == status, role
        assert ("Audit log" in other.get("/account").text) == (status == 200)
    assert desk.client.get("/audit/export").status_code == 405


def test_an_export_suffices_to_compute_the_chain_and_is_recorded(desk: Desk) -> None:
    _act(desk.runtime.db, "clients:1", after={"note": '=HYPERLINK("x")', "ü": "é\n\t"})
    _act(desk.runtime.db, "=cmd|' /C calc'!A0", actor="@SUM(1)")
    seal_log(desk.runtime.db, desk.runtime.settings)
    answer = desk.post("/audit/export", {"format": "jsonl", "query": ""})
    rows = [json.loads(line) for line in answer.text.splitlines()]
    head = bytes(32)
    for row in (row for row in rows if row["seq"] is not None):
        values = [row[n] for n in ("at", "actor", "action", "subject", "origin_commitment", "before", "after")]
        written = json.dumps(["nudgepay-audit-1", *values], ensure_ascii=False, separators=(",", ":"))
        digest = hashlib.sha256(written.encode()).digest()
        head = hashlib.sha256(head + digest + row["seq"].to_bytes(8, "big") + row["id"].to_bytes(8, "big")).digest()
        assert (row["digest"], row["hash"]) == (digest.hex(), head.hex())
    assert head.hex() == one(
        desk.runtime, "SELECT encode(head, 'hex') FROM audit_checkpoints ORDER BY id DESC LIMIT 1"
    )
    assert rows[-1]["action"] == "audit.export", "what leaves is in what leaves"
    table = list(csv.DictReader(io.StringIO(desk.post("/audit/export", {"query": "action=test.act"}).text[1:])))
    assert [row["actor"] for row in table] == ["cli:ada", "'@SUM(1)"]
    assert table[1]["subject"].startswith("'=cmd")
    told = one(desk.runtime, "SELECT after FROM audit_events WHERE action = 'audit.export' ORDER BY id DESC LIMIT 1")
    assert told == {"format": "csv", "action": "test.act"}
    assert desk.post("/audit/export", {"format": "xlsx"}).status_code == 422


def test_the_state_of_the_chain_stands_on_top_and_a_broken_one_is_told(desk: Desk) -> None:
    runtime = desk.runtime
    _act(runtime.db, "clients:1")
    assert "there is none yet" in desk.get("/audit").text
    seal_log(runtime.db, runtime.settings)
    assert check_audit_log(runtime, actor="cli:ada").first_bad is None
    page = _plain(desk.get("/audit").text)
    assert "nobody signs for it" in page
    assert "all whole" in page
    broken = one(runtime, "SELECT max(id) FROM audit_events")
    tamper(runtime.db, f"UPDATE audit_events SET actor = 'cli:eve' WHERE id = {broken}")
    assert check_audit_log(runtime, actor="cli:ada").first_bad is not None
    assert check_audit_log(runtime, actor="cli:ada").first_bad is not None
    page = _plain(desk.get("/audit").text)
    assert "The audit log was changed" in page
    assert f"Record {broken} : edited" in page.replace("  ", " ") or f"Record {broken}: edited" in page
    assert one(runtime, "SELECT count(*) FROM notices WHERE kind = 'audit.broken' AND resolved_at IS NULL") == 1
    tamper(runtime.db, f"UPDATE audit_events SET actor = 'cli:ada' WHERE id = {broken}")
    assert check_audit_log(runtime, actor="cli:ada").first_bad is None
    assert one(runtime, "SELECT count(*) FROM notices WHERE kind = 'audit.broken' AND resolved_at IS NULL") == 0


@pytest.mark.parametrize(
    "wanted",
    [AuditFilter(), AuditFilter(actor="operator:3"), AuditFilter(action="a.4"), AuditFilter(subjects=["x:9"])],
)
def test_a_page_reads_what_it_shows_however_long_the_log_is(db: Database, wanted: AuditFilter) -> None:
    with as_superuser(db) as session:
        session.execute(
            text(
                "INSERT INTO audit_events (at, actor, action, subject)"
                " SELECT now() - make_interval(secs => n), 'operator:' || n % 7, 'a.' || n % 11, 'x:' || n % 2000"
                " FROM generate_series(1, 30000) AS n"
            )
        )
        session.execute(text("ANALYZE audit_events"))
    with db.transaction() as session:
        before = clock.now()
        rows = audit_events(session, wanted, before=(before, 2**40), limit=PAGE_SIZE + 1)
        read = session.execute(
            text("SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'audit_events'")
        ).scalar_one()
    assert len(rows) == (15 if wanted.subjects else PAGE_SIZE + 1)
    assert read <= 4 * PAGE_SIZE
