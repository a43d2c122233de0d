"""Settings: what is configured and from where, never a secret; a look at the outside only when a person asks for it."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from starlette.testclient import TestClient

from nudgepay import clock, readiness
from nudgepay.access.permissions import Role
from nudgepay.config import SECRETS, Settings
from nudgepay.config.provenance import INTERNAL
from nudgepay.gateways.fakes.dns import FakeDns
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.readiness.checking import LONGEST, NAME, begin_check, last_check
from nudgepay.readiness.getting_started import FIRST_STEPS, first_steps
from nudgepay.runtime import Runtime, build_runtime
from nudgepay.web.app import create_app
from nudgepay.web.ui.settings.finding_words import ABOUT, sentence
from nudgepay.web.ui.settings.step_words import STEPS
from web.ui.desk import Desk

PAGES = ("/settings", "/settings/all", "/settings/sender", "/settings/stripe", "/settings/first-steps")
MARK = "5ecret-Of-Nobody"


@contextmanager
def desk_with(settings: Settings, **changes: object) -> Iterator[Desk]:
    """A desk of an installation that was told something else."""
    runtime = build_runtime(settings.model_copy(update={"base_url": "http://testserver"} | changes))
    try:
        with TestClient(create_app(runtime), follow_redirects=False) as client:
            yield Desk(client, runtime)
    finally:
        runtime.close()


def test_no_page_shows_a_secrets_value_and_each_says_whether_it_is_set(settings: Settings) -> None:
    hidden = {name: SecretStr(f"{MARK}-{name}") for name in SECRETS if name not in {"database_url", "session_secret"}}
    hidden["stripe_secret_key"] = SecretStr(f"sk_test_{MARK}")
    with desk_with(settings, **hidden, session_secret=SecretStr(f"{MARK}{'x' * 40}")) as desk:
        everything = "".join(desk.get(path).text for path in PAGES)
    assert MARK not in everything
    assert settings.secret("database_url") not in everything
    row = re.search(r'id="SMTP_PASSWORD">.*?</tr>', everything, re.DOTALL)
    assert row is not None
    assert ">Set<" in re.sub(r"<svg.*?</svg> ", ">", row[0])
    assert re.search(r'id="REDIS_URL">.*?Set', everything, re.DOTALL)


def test_every_setting_is_shown_by_name_with_its_value_and_where_it_came_from(settings: Settings) -> None:
    with desk_with(
        settings, plain_secrets=frozenset(), references={"smtp_password": "vault://mail#password"}
    ) as desk:
        page = desk.get("/settings/all").text
    shown = set(re.findall(r'<tr id="(\w+)">', page))
    assert shown == {name.upper() for name in Settings.model_fields if name not in INTERNAL}
    rows = dict(re.findall(r'<tr id="(\w+)">(.*?)</tr>', page, re.DOTALL))
    assert "Atelier Nord" in rows["BUSINESS_NAME"]
    assert "Environment" in rows["BUSINESS_NAME"]
    assert "09:00-17:00" in rows["SENDING_HOURS"]
    assert "Default" in rows["SENDING_HOURS"]
    assert "Managed reference" in rows["SMTP_PASSWORD"]
    assert "vault" not in page
    assert "File" in rows["DATABASE_URL"], "neither plain nor a reference"
    assert "Not set" in rows["REPLY_TO"]


def test_a_get_asks_nobody_outside(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for name in ("probe_transport", "sender_findings", "mailbox_for"):
        monkeypatch.setattr(f"nudgepay.readiness.doctor.{name}", lambda *_, name=name: asked.append(name) or ())
    outside = {"mail_transport": "smtp", "smtp_host": "127.0.0.1", "bounce_mailbox": SecretStr("/nowhere")}
    with desk_with(settings, **outside) as desk:
        for path in (*PAGES, "/operations", "/operations/jobs", "/operations/notices", "/operations/sending"):
            assert desk.get(path).status_code == 200
        assert asked == []
        desk.post("/settings/check")
        assert asked == ["probe_transport", "sender_findings", "mailbox_for"]


def test_a_look_asks_relay_dns_and_stripe_and_what_cannot_be_looked_up_is_not_green(
    settings: Settings, tmp_path: Path
) -> None:
    with (
        SmtpSink(tmp_path / "journal.jsonl") as sink,
        FakeDns({}) as dns,
        FakeStripe() as stripe,
        desk_with(
            settings,
            mail_transport="smtp",
            smtp_host="127.0.0.1",
            smtp_port=sink.port,
            smtp_security="none",
            dns_servers=dns.address,
            stripe_secret_key=SecretStr(stripe.api_key),
            stripe_api_base=stripe.url,
        ) as desk,
    ):
        assert "Nobody has looked yet" in desk.get("/settings/sender").text
        answer = desk.post("/settings/check", {"back": "https://evil.example"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/settings/sender")
        page = desk.get("/settings/sender").text
        assert "atelier.example has no SPF record" in page
        assert "v=spf1 include:YOUR-RELAY -all" in page
        assert re.search(r"chip-bad.*?Wrong", page)
        assert "its events are not taken in" in desk.get("/settings/stripe").text
        assert sink.kept() == []
        german = desk.client.get("/settings/sender", headers={"accept": "text/html", "accept-language": "de"}).text
        assert "atelier.example hat keinen SPF-Eintrag" in german
    silent = {"mail_transport": "smtp", "smtp_host": "127.0.0.1", "smtp_port": 1, "dns_servers": "127.0.0.1:1"}
    with desk_with(settings, **silent) as desk:
        desk.post("/settings/check")
        row = re.search(r"<p class=\"font-medium\">SPF</p>.*?</li>", desk.get("/settings/sender").text, re.DOTALL)
        assert row is not None
        assert "Could not look" in row[0]
        assert "chip-ok" not in row[0]


def test_one_look_at_a_time_its_progress_is_seen_and_one_that_was_killed_is_told(desk: Desk) -> None:
    db, now = desk.runtime.db, clock.now()
    with db.transaction() as session:
        entry_id = begin_check(session, now=now, actor="test")
        assert entry_id is not None
    begun: list[int | None] = []

    def ask() -> None:
        with db.transaction() as session:
            begun.append(begin_check(session, now=now, actor="test"))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert begun == [None, None, None]
    page = desk.get("/settings/sender").text
    assert 'hx-trigger="every 1s"' in page
    assert "Looking …" in page
    assert "Somebody is looking already" in desk.told(desk.post("/settings/check"))
    with db.transaction() as session:
        session.execute(
            text("UPDATE ledger_entries SET started_at = now() - CAST(:age AS interval)"), {"age": LONGEST * 2}
        )
    page = desk.get("/settings/sender").text
    assert "The last look was cut short" in page
    assert "every 1s" not in page
    desk.post("/settings/check")
    with db.transaction() as session:
        assert last_check(session, now=clock.now()).progress == "done"
        assert session.scalar(text("SELECT count(*) FROM ledger_entries WHERE name = :n"), {"n": NAME}) == 2


def test_a_look_that_breaks_is_shown_as_failed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Runtime) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("nudgepay.readiness.checking.outside_findings", broken)
    desk.post("/settings/check")
    assert "The last look failed" in desk.get("/settings/sender").text


def test_stripes_standing_comes_from_our_own_rows(desk: Desk) -> None:
    with desk.runtime.db.transaction() as session:
        session.execute(
            text(
                "INSERT INTO stripe_events (event_id, type, payload, received_at, handled_at, outcome, error, attempts)"
                " VALUES ('evt_booked', 'checkout.session.completed', '{}', now() - interval '2 hours', now(), 'paid',"
                "         NULL, 1),"
                "        ('evt_<b>', 'charge.refunded', '{}', now() - interval '1 hour', NULL, NULL, 'Timeout', 3)"
            )
        )
        session.execute(
            text(
                "INSERT INTO ledger_entries (kind, name, actor, started_at, ended_at, outcome, details) VALUES"
                " ('job', 'stripe_sweep', 'job', now(), now(), 'done', '{\"events_found\": 7, \"drift\": 2}')"
            )
        )
    page = desk.get("/settings/stripe").text
    assert page.index("charge.refunded") < page.index("checkout.session.completed"), "what waits comes first"
    assert "Tried 3 times" in page
    assert "Booked" in page
    assert "evt_&lt;b&gt;" in page
    assert "Events that no webhook brought" in page
    assert "Stripe is not connected" in page


def test_the_first_steps_follow_the_books_and_the_settings(settings: Settings, lived: Desk) -> None:
    assert set(STEPS) == set(FIRST_STEPS)
    with desk_with(settings, business_iban=None) as desk, desk.runtime.db.transaction() as session:
        steps = {one.key: one for one in first_steps(session, desk.runtime.settings, now=clock.now())}
        assert {key for key, one in steps.items() if one.state == "done"} == {"operator"}
        page = desk.get("/settings/first-steps").text
        assert "1 of 10 done" in page
        assert page.count('aria-current="step"') == 1
    with lived.runtime.db.transaction() as session:
        steps = {one.key: one for one in first_steps(session, lived.runtime.settings, now=clock.now())}
    assert {"books", "rehearsal", "sending"} <= {key for key, one in steps.items() if one.state == "done"}
    assert steps["amnesty"].state == "todo"
    assert steps["amnesty"].count > 0
    assert steps["sender"].state == "todo"


def test_a_sender_that_could_not_be_looked_up_is_no_step_that_is_done(desk: Desk) -> None:
    def state(**verdicts: str) -> str:
        findings = [{"name": f"sender.{name}", "verdict": verdict} for name, verdict in verdicts.items()]
        with desk.runtime.db.transaction() as session:
            session.execute(text("DELETE FROM ledger_entries"))
            session.execute(
                text(
                    "INSERT INTO ledger_entries (kind, name, actor, ended_at, outcome, details) VALUES"
                    " ('check', 'outside', 't', now(), 'done', jsonb_build_object('findings', CAST(:f AS jsonb)))"
                ),
                {"f": json.dumps(findings)},
            )
            steps = first_steps(session, desk.runtime.settings, now=clock.now())
        return next(one.state for one in steps if one.key == "sender")

    good = {"relay": "ok", "spf": "ok", "dmarc": "warning", "way_back": "ok", "dkim": "not_checked"}
    assert state(**good) == "done"
    assert state(**good | {"spf": "not_checked"}) == "todo"
    assert state(**good | {"dmarc": "failed"}) == "trouble"


def test_a_role_without_the_permission_sees_no_settings(desk: Desk) -> None:
    viewer = Desk(desk.client, desk.runtime, role=Role.VIEWER)
    assert [viewer.get(path).status_code for path in PAGES] == [403] * len(PAGES)
    auditor = Desk(desk.client, desk.runtime, role=Role.AUDITOR)
    assert "Check now" not in auditor.get("/settings/sender").text
    assert auditor.post("/settings/check").status_code == 403


@pytest.mark.parametrize(
    "recorded", [{}, {"text": "%(a)s", "values": {}}, {"text": "%(a)s %(b)s", "values": {"a": 1}}, {"text": "100%"}]
)
def test_a_sentence_that_cannot_be_filled_in_is_shown_as_it_is(desk: Desk, recorded: dict[str, object]) -> None:
    class Person:
        def gettext(self, words: str) -> str:
            return words

    assert sentence(Person(), recorded) == recorded.get("text", "")  # type: ignore[arg-type]


def test_each_finding_has_its_words() -> None:
    source = "".join(Path(room.__file__).read_text() for room in (readiness.sender, readiness.doctor))
    named = set(re.findall(r'"(sender\.\w+)"', source)) | {"bounces", "stripe"}
    assert named == set(ABOUT)
