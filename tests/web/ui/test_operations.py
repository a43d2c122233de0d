"""Operations: notices in words, resolved with a way back; jobs handed to a worker; the ledger; the big switch."""

import ast
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import nudgepay
from nudgepay import clock, ledger
from nudgepay.access.permissions import Role
from nudgepay.automation import queue
from nudgepay.automation.backlog import QUEUES
from nudgepay.automation.context import JobContext
from nudgepay.automation.runner import run_job_safely
from nudgepay.automation.schedule import SCHEDULE, job_named
from nudgepay.db import Database
from nudgepay.nudges.suppressions import REASONS
from nudgepay.nudges.switch import pause_sending
from nudgepay.web.ui.operations.notice_words import NOTICES
from nudgepay.web.ui.operations.words import JOBS, OUTCOMES, rhythm
from nudgepay.web.ui.operations.words import QUEUES as QUEUE_WORDS
from web.ui.desk import Desk

SOURCE = Path(nudgepay.__file__).parent
VARIABLE = {"contact.": REASONS, "mailing.": ("failed", "unknown")}
"""Kinds that are put together: by what they begin with, their possible ends."""
PAGES = ("/operations", "/operations/notices", "/operations/jobs", "/operations/ledger", "/operations/sending")


def _one(db: Database, query: str, **values: Any) -> Any:
    with db.transaction() as session:
        return session.scalar(text(query), values)


def _tell(db: Database, kind: str, key: str, details: dict[str, Any] | None = None) -> int:
    with db.transaction() as session:
        ledger.notice(session, kind, key, details)
    return int(_one(db, "SELECT id FROM notices WHERE dedup_key = :key ORDER BY id DESC", key=key))


def _kinds_in_the_code() -> set[str]:
    """Every kind that some call of `notice` may write, read from the sources."""
    found: set[str] = set()
    for file in SOURCE.rglob("*.py"):
        tree = ast.parse(file.read_text())
        constants = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "notice":
                kind = node.args[1]
                if isinstance(kind, ast.Constant):
                    found.add(kind.value)
                elif isinstance(kind, ast.Name):
                    found.add(constants[kind.id])
                else:
                    assert isinstance(kind, ast.JoinedStr), f"{file}:{node.lineno}"
                    begin = kind.values[0].value  # type: ignore[attr-defined]
                    found |= {begin + end for end in VARIABLE[begin]}
    return found


def test_every_kind_of_notice_that_the_code_can_write_has_its_words_and_no_other() -> None:
    kinds = _kinds_in_the_code()
    assert len(kinds) > 20
    assert kinds == set(NOTICES)
    for words in NOTICES.values():
        assert all((words.title, words.meaning, words.cure))
        assert bool(words.place) == bool(words.link)
        assert words.place or words.command


def test_a_notice_of_each_kind_is_shown_with_its_words(desk: Desk) -> None:
    for kind in NOTICES:
        _tell(desk.runtime.db, kind, f"{kind}:<script>", {"error": "<script>alert(1)</script>", "job": "nudge_pass"})
    seen = "".join(_every_page(desk, "/operations/notices"))
    for kind, words in NOTICES.items():
        assert kind in seen
        assert words.title in seen
    assert "<script>alert" not in seen
    assert "&lt;script&gt;" in seen


def _every_page(desk: Desk, path: str) -> list[str]:
    found = []
    while path:
        found.append(desk.get(path).text)
        more = re.search(r'href="([^"]+)" rel="next"', found[-1])
        path = more[1].replace("&amp;", "&") if more else ""
    return found


def test_a_kind_that_this_version_does_not_know_is_shown_all_the_same(desk: Desk) -> None:
    _tell(desk.runtime.db, "moon.fell", "moon.fell", {"invoice_id": "x", "client_ids": "no list", "letter_id": 5})
    page = desk.get("/operations/notices").text
    assert "Something needs a person" in page
    assert "moon.fell" in page


def test_a_notice_names_the_client_and_the_invoice_and_leads_to_them(lived: Desk) -> None:
    db = lived.runtime.db
    invoice = _one(db, "SELECT id FROM invoices ORDER BY id LIMIT 1")
    client = _one(db, "SELECT c.name FROM clients c JOIN invoices i ON i.client_id = c.id WHERE i.id = :i", i=invoice)
    letter = _one(db, "SELECT id FROM letters ORDER BY sending_at LIMIT 1")
    _tell(db, "promise.broken", "promise.broken:1", {"invoice_id": invoice})
    _tell(db, "letter.unknown", "letter.unknown:1", {"letter_id": str(letter), "client_id": 1})
    _tell(db, "payment.needs_review", "review:1", {"invoice_ids": [invoice], "reason": "wrong_amount"})
    page = lived.get("/operations/notices").text
    assert f'href="/invoices/{invoice}">Open the invoice' in page
    assert client.replace("&", "&amp;") in page
    assert f'href="/letters/{letter}">Open the letter' in page
    assert "another amount than was asked for" in page


def test_a_person_resolves_a_notice_and_takes_it_back(desk: Desk) -> None:
    db = desk.runtime.db
    notice_id = _tell(db, "dispute.opened", "dispute.opened:1")
    other = _tell(db, "promise.broken", "promise.broken:1")
    page = desk.told(desk.post(f"/operations/notices/{notice_id}/resolve"))
    assert "Resolved. The same trouble opens a new notice." in page
    assert f"/operations/notices/{notice_id}/reopen" in page, "the way back"
    assert _one(db, "SELECT resolved_by LIKE 'operator:%' FROM notices WHERE id = :id", id=notice_id)
    assert f'id="notice-{notice_id}"' not in page
    assert f'id="notice-{other}"' in page
    assert "olga@desk.example" in desk.get("/operations/notices?resolved=yes").text
    assert "closed already" in desk.told(desk.post(f"/operations/notices/{notice_id}/resolve"))
    assert f'id="notice-{notice_id}"' in desk.told(desk.post(f"/operations/notices/{notice_id}/reopen"))
    acts = _one(db, "SELECT array_agg(action ORDER BY id) FROM audit_events WHERE subject LIKE 'notices:%'")
    assert acts == ["notice.resolve", "notice.reopen"]
    assert "It is open already." in desk.told(desk.post(f"/operations/notices/{notice_id}/reopen"))


def test_what_came_again_meanwhile_or_was_closed_by_the_books_is_not_opened_again(desk: Desk) -> None:
    db = desk.runtime.db
    first = _tell(db, "job.failed", "job.failed:nudge_pass", {"job": "nudge_pass"})
    desk.post(f"/operations/notices/{first}/resolve")
    second = _tell(db, "job.failed", "job.failed:nudge_pass", {"job": "nudge_pass"})
    assert second != first
    assert "It is open already." in desk.told(desk.post(f"/operations/notices/{first}/reopen"))
    assert _one(db, "SELECT count(*) FROM notices WHERE resolved_at IS NULL") == 1
    with db.transaction() as session:
        ledger.resolve_notice(session, "job.failed:nudge_pass", actor="job:nudge_pass")
    refused = desk.post(f"/operations/notices/{second}/reopen")
    assert refused.status_code == 409
    assert "the trouble is over" in refused.text
    assert desk.post("/operations/notices/999999/resolve").status_code == 404


def test_notices_are_listed_a_page_at_a_time_and_by_kind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nudgepay.web.ui.operations.notices.PAGE_SIZE", 3)
    for number in range(7):
        _tell(desk.runtime.db, "promise.broken", f"promise.broken:{number}")
    _tell(desk.runtime.db, "dispute.opened", "dispute.opened:1")
    pages = _every_page(desk, "/operations/notices")
    seen = [found for page in pages for found in re.findall(r'id="notice-(\d+)"', page)]
    assert len(pages) == 3
    assert len(seen) == len(set(seen)) == 8
    assert desk.get("/operations/notices?kind=dispute.opened").text.count('id="notice-') == 1
    assert "No notice is like that" in desk.get("/operations/notices?kind=letter.unknown").text
    assert "Every kind" in desk.get("/operations/notices").text


@pytest.mark.parametrize(
    "path",
    [
        "/operations/notices?kind=%27;DROP TABLE notices--&after=xx",
        "/operations/notices?after=" + "A" * 400,
        "/operations/notices?resolved=maybe&after=WyItMSJd",
        "/operations/ledger?kind=';--&name=<b>&outcome=x&before=W10",
        "/operations/ledger?before=WyI5OTk5OTk5OTk5OTk5OTk5OTk5OTk5Il0",
    ],
)
def test_a_query_that_means_nothing_shows_a_page_all_the_same(desk: Desk, path: str) -> None:
    assert desk.get(path).status_code == 200


def test_the_overview_counts_what_its_lists_show(lived: Desk) -> None:
    db = lived.runtime.db
    with db.transaction() as session:
        session.execute(text("INSERT INTO procrastinate.procrastinate_workers DEFAULT VALUES"))
        session.execute(
            text(
                "INSERT INTO procrastinate.procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')"
            )
        )
        session.execute(
            text(
                "INSERT INTO ledger_entries (kind, name, actor, started_at, ended_at, outcome)"
                " VALUES ('job', 'read_reports', 'job', now(), now(), 'failed')"
            )
        )
    page = lived.get("/operations").text
    figures = dict(re.findall(r'figure-label">([^<]+)</div><div class="figure-value">([^<]+)</div>', page))
    assert figures["Workers"] == "1"
    assert figures["Jobs in trouble"] == "1"
    assert figures["Notices"] == str(_one(db, "SELECT count(*) FROM notices WHERE resolved_at IS NULL"))
    assert "Silent" in page
    assert "Read what came back" in page
    assert set(QUEUE_WORDS) == set(QUEUES)
    assert "Not set up here" in page


def test_jobs_are_shown_with_their_last_run_in_words(desk: Desk) -> None:
    assert set(JOBS) == {job.name for job in SCHEDULE}
    runtime = desk.runtime
    assert run_job_safely(job_named("nudge_pass"), JobContext(runtime, clock.now(), "job:nudge_pass"))
    with runtime.db.transaction() as session:
        session.execute(text("INSERT INTO ledger_entries (kind, name, actor) VALUES ('job', 'stripe_sweep', 'job')"))
    page = desk.get("/operations/jobs").text
    for title, _, _ in JOBS.values():
        assert title in page
    assert "Done" in page
    assert "Under way" in page
    assert "every day at 03:17 UTC" in page
    assert "* *" not in page, "no cron line is left without words"
    one = desk.get("/operations/jobs/nudge_pass").text
    assert "reminders" in one, "the details of its run"
    assert desk.get("/operations/jobs/no_such_job").status_code == 404


def test_a_job_is_handed_to_the_workers_once_and_not_run_in_the_request(desk: Desk) -> None:
    db = desk.runtime.db
    assert "A worker takes it within seconds" in desk.told(desk.post("/operations/jobs/retention/run"))
    assert _one(db, "SELECT count(*) FROM ledger_entries") == 0, "nothing ran here"
    rows = "SELECT count(*) FROM procrastinate.procrastinate_jobs WHERE task_name = 'retention' AND status = 'todo'"
    assert _one(db, rows) == 1
    assert "waits for a worker" in desk.told(desk.post("/operations/jobs/retention/run"))
    assert _one(db, rows) == 1
    assert "Waits for a worker" in desk.get("/operations/jobs/retention").text
    assert desk.post("/operations/jobs/no_such_job/run").status_code == 404
    assert _one(db, "SELECT array_agg(action) FROM audit_events") == ["job.ask", "job.ask"]


def test_a_request_is_taken_like_any_other_and_helps_lost_workers(desk: Desk) -> None:
    db = desk.runtime.db
    with db.transaction() as session:
        assert queue.ask(session, ["retention"]) == 1
        assert session.scalar(text("SHOW search_path")) == "public"
        session.execute(text("SET LOCAL search_path = procrastinate"))
        session.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    with db.transaction() as session:
        assert queue.retry_stalled(session) == 1
        assert queue.ask(session, ["retention"]) == 0, "asked for already"


def test_the_ledger_is_read_a_page_at_a_time_by_kind_name_and_outcome(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nudgepay.web.ui.operations.history.PAGE_SIZE", 2)
    with desk.runtime.db.transaction() as session:
        for name, outcome in [("nudge_pass", "done"), ("nudge_pass", "failed"), ("retention", "done"), ("x", None)]:
            session.execute(
                text(
                    "INSERT INTO ledger_entries (kind, name, actor, ended_at, outcome, details)"
                    " VALUES ('job', :name, 'job', now(), :outcome, '{\"<i>\": [1, 2], \"gone\": [{}, {}, {}]}')"
                ),
                {"name": name, "outcome": outcome},
            )
    pages = _every_page(desk, "/operations/ledger")
    assert len(pages) == 2
    assert sum(page.count('<dl class="run-details">') for page in pages) == 4
    assert "&lt;i&gt;" in pages[0]
    assert "[1, 2]" in pages[0]

    def count(query: str) -> int:
        return desk.get(f"/operations/ledger?{query}").text.count('<dl class="run-details">')

    assert [count("name=nudge_pass"), count("outcome=failed"), count("outcome=running"), count("kind=drill")] == [
        2,
        1,
        1,
        0,
    ]


def test_pausing_takes_a_reason_and_undoing_it_sends_again(desk: Desk) -> None:
    db = desk.runtime.db
    refused = desk.post("/operations/sending/pause", {"reason": "  "})
    assert refused.status_code == 422
    assert "Say why" in refused.text
    assert _one(db, "SELECT count(*) FROM sending_switch WHERE paused_at IS NOT NULL") == 0
    page = desk.told(desk.post("/operations/sending/pause", {"reason": "<b>moving</b>  house"}))
    assert "&lt;b&gt;moving&lt;/b&gt; house" in page
    assert "olga@desk.example" in page
    assert "Resume …" in page
    undo = dict(re.findall(r'type="hidden" name="(seen)" value="([^"]+)"', page))
    assert "Sending is on." in desk.told(desk.post("/operations/sending/resume", undo))
    assert _one(db, "SELECT paused_at IS NULL FROM sending_switch")
    assert "Sending is on already" in desk.told(desk.post("/operations/sending/resume", undo))


def test_undoing_another_reason_brings_the_former_one_back_and_sends_nothing(desk: Desk) -> None:
    db = desk.runtime.db
    with db.transaction() as session:
        pause_sending(session, reason="first start", environment="test", actor="cli:root")
    page = desk.told(desk.post("/operations/sending/pause", {"reason": "bank is down"}))
    assert re.search(r'action="/operations/sending/pause">.*?name="reason" value="first start"', page, re.DOTALL)
    seen = re.findall(r'name="seen" value="([^"]+)"', page)[0]
    desk.post("/operations/sending/pause", {"reason": "first start", "seen": seen})
    assert _one(db, "SELECT reason FROM sending_switch WHERE paused_at IS NOT NULL") == "first start"


def test_a_switch_that_was_moved_meanwhile_is_not_moved_by_an_old_page(desk: Desk) -> None:
    db = desk.runtime.db
    desk.post("/operations/sending/pause", {"reason": "one"})
    old = re.findall(r'name="seen" value="([^"]+)"', desk.get("/operations/sending/resume").text)[0]
    desk.post("/operations/sending/pause", {"reason": "two: do not resume"})
    for fields in ({"seen": old}, {}, {"seen": "rubbish"}):
        answer = desk.post("/operations/sending/resume", fields)
        assert answer.status_code == 409
        assert "two: do not resume" in answer.text
        assert "Somebody else has moved the switch" in answer.text
    assert desk.post("/operations/sending/pause", {"reason": "three", "seen": old}).status_code == 409
    assert _one(db, "SELECT reason FROM sending_switch WHERE paused_at IS NOT NULL") == "two: do not resume"


def test_the_preview_of_resuming_shows_what_the_next_pass_then_sends(
    lived: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, runtime = lived.runtime.db, lived.runtime
    with db.transaction() as session:
        session.execute(text("UPDATE invoices SET amnesty_at = NULL, next_at = now() WHERE amnesty_at IS NOT NULL"))
    lived.post("/operations/sending/pause", {"reason": "looking"})
    at = clock.now().replace(hour=10, minute=0)
    for _ in range(10):
        at += timedelta(days=1)
        monkeypatch.setattr(clock, "now", lambda at=at: at)
        page = lived.get("/operations/sending/resume").text
        figures = dict(re.findall(r'figure-label">([^<]+)</div><div class="figure-value">([^<]+)</div>', page))
        if figures["At once"] != "0":
            break
    context = JobContext(runtime, at, "job:nudge_pass")
    before = _one(db, "SELECT count(*) FROM letters")
    assert run_job_safely(job_named("nudge_pass"), context)
    assert _one(db, "SELECT count(*) FROM letters") == before, "paused"
    seen = re.findall(r'name="seen" value="([^"]+)"', page)[0]
    assert "Sending is on." in lived.told(lived.post("/operations/sending/resume", {"seen": seen}))
    assert run_job_safely(job_named("nudge_pass"), context)
    assert _one(db, "SELECT count(*) FROM letters") - before == int(figures["At once"]) > 0


def test_each_act_takes_its_permission(desk: Desk) -> None:
    notice_id = _tell(desk.runtime.db, "dispute.opened", "dispute.opened:1")
    acts = {
        "resolve": f"/operations/notices/{notice_id}/resolve",
        "run": "/operations/jobs/retention/run",
        "pause": "/operations/sending/pause",
        "resume": "/operations/sending/resume",
    }
    allowed = {Role.VIEWER: set(), Role.AUDITOR: set(), Role.OPERATOR: {"resolve"}, Role.MANAGER: set(acts)}
    for role, may in allowed.items():
        person = Desk(desk.client, desk.runtime, role=role)
        statuses = {name: person.post(path, {"reason": "a reason"}).status_code for name, path in acts.items()}
        assert {name for name, status in statuses.items() if status != 403} == may
        seen = [person.get(path).status_code for path in PAGES]
        assert seen == [403 if role is Role.VIEWER else 200] * len(PAGES)
    assert (
        "Your role may look at the switch" in Desk(desk.client, desk.runtime, role=Role.OPERATOR).get(PAGES[-1]).text
    )


def test_every_job_runs_at_a_rhythm_that_has_words() -> None:
    class Person:
        def gettext(self, words: str) -> str:
            return words

    said = {job.name: rhythm(Person(), job.cron) for job in SCHEDULE}  # type: ignore[arg-type]
    assert all("*" not in words for words in said.values()), said
    assert (said["apply_events"], said["settle_promises"]) == ("every 5 seconds", "every 15 minutes")
    assert {"done", "failed", "abandoned", "busy"} <= set(OUTCOMES)
