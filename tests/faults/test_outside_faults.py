"""The relay and Stripe fail under running processes: what does not need them goes on, and nothing storms."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from automation.processes import hint
from faults.harness import PROOF, all_accepted, measured, nursery, tally, wait_until
from faults.products import SECRET, Site, serving, working
from faults.test_worker_faults import arguments
from nudgepay import clock
from nudgepay.db import Database
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudgepay.gateways.fakes.smtp_turns import Turn
from nudgepay.gateways.fakes.stripe import FakeStripe
from nudges.books import due_clients, make_client, make_invoice, rows, value

WATCH_SECONDS = 60 if PROOF else 5
pytestmark = [pytest.mark.fault, pytest.mark.timeout(400 if PROOF else 120)]


def test_letters_wait_for_a_relay_that_is_not_there_and_go_once_when_it_is(
    db: Database, database_url: str, tmp_path: Path, figures: Callable[..., None]
) -> None:
    due_clients(db, 6)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with nursery(tmp_path / "workers.log") as workers:
        given = {"url": database_url, "port": port, "journal": str(tmp_path / "journal.jsonl"), "lease": 5.0}
        (tmp_path / "journal.jsonl").touch()
        when = {key: value for key, value in arguments("", _Nowhere()).items() if key in {"now", "started"}}
        workers.spawn(**given, **when, speed=120.0)
        wait_until(lambda: _waiting(db) == 6)
        told = _told(db)
        attempts = value(db, "SELECT max(attempts) FROM reminders")
        with SmtpSink(tmp_path / "journal.jsonl", port=port) as sink:
            wait_until(lambda: all_accepted(db), seconds=60)
            wait_until(lambda: _told(db) == 0)
    found = tally(db, sink.journal)
    figures("relay away", **measured("relay away", found))
    assert (told, attempts) == (1, 0), "told once; nothing was the letters' fault"
    assert (found.lost, found.duplicate, found.unexpected, found.unknown) == (0, 0, 0, 0)


class _Nowhere:
    port = 0
    journal = Path()


def _told(db: Database) -> int:
    query = "SELECT count(*) FROM notices WHERE kind = 'sender.not_ready' AND resolved_at IS NULL"
    return int(value(db, query))


def _waiting(db: Database) -> int:
    query = "SELECT count(*) FROM reminders WHERE state = 'planned' AND held_reason = 'sender_not_ready'"
    return int(value(db, query + " AND step = 'DUE'"))


def test_a_relay_that_answers_one_letter_byte_by_byte_keeps_no_other_letter_waiting(
    db: Database, database_url: str, tmp_path: Path, figures: Callable[..., None]
) -> None:
    due_clients(db, 6)
    with SmtpSink(tmp_path / "journal.jsonl") as sink, nursery(tmp_path / "workers.log") as workers:
        sink.script.plan(Turn(manner="drip", text="2.0.0 kept, " + "slowly " * 9), recipient="client0@client.example")
        workers.spawn(**arguments(database_url, sink, lease=5.0))
        query = "SELECT count(*) FROM letters WHERE to_address NOT LIKE 'client0%' AND state = 'accepted'"
        wait_until(lambda: value(db, query) == 5)
        wait_until(lambda: all_accepted(db), seconds=40)
    found = tally(db, sink.journal)
    figures("relay drips", **measured("relay drips", found))
    assert value(db, "SELECT count(*) FROM audit_events WHERE action = 'letter.confirm'") == 1, "given up, then found"
    assert (found.lost, found.duplicate, found.unexpected, found.unknown) == (0, 0, 0, 0)


def test_a_worker_says_neither_letter_nor_password_to_a_relay_that_hides_starttls(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    due_clients(db, 3)
    secret = {"SMTP_SECURITY": "starttls", "SMTP_USERNAME": "user", "SMTP_PASSWORD": "canary-password"}
    with (
        SmtpSink(tmp_path / "journal.jsonl") as sink,
        working(database_url, tmp_path, sink_port=sink.port, journal=sink.journal, **secret),
    ):
        wait_until(lambda: _waiting(db) == 3 or _hint(db))
        verbs = {verb.split()[0].upper() for verb in sink.verbs()}
    assert "EHLO" in verbs, "they did meet"
    assert verbs <= {"EHLO", "QUIT"}
    assert sink.kept() == []
    assert "canary-password" not in (tmp_path / "worker.log").read_text()


def _hint(db: Database, *jobs: str) -> bool:
    for job in jobs or ("nudge_pass",):
        hint(db, job)
    time.sleep(0.3)
    return False


@pytest.mark.parametrize("trouble", ["revoked", "limited"])
def test_while_stripe_refuses_everything_letters_go_hooks_are_taken_and_nobody_storms(
    db: Database, database_url: str, tmp_path: Path, trouble: str, figures: Callable[..., None]
) -> None:
    due_clients(db, 5)
    make_invoice(db, make_client(db, "payer"), "P-1", due_on=clock.now().date(), now=clock.now())
    token = value(db, "SELECT token FROM invoices WHERE number = 'P-1'")
    with FakeStripe() as fake, SmtpSink(tmp_path / "journal.jsonl") as sink:
        key = fake.api_key
        stripe = {"STRIPE_SECRET_KEY": key, "STRIPE_API_BASE": fake.url, "STRIPE_WEBHOOK_SECRET": SECRET}
        if trouble == "revoked":
            fake.api_key = "sk_test_another"
        else:
            fake.limits.per_second, fake.limits.retry_after = 0, 1
        with (
            serving(database_url, tmp_path, **stripe) as site,
            working(database_url, tmp_path, sink_port=sink.port, journal=sink.journal, **stripe) as worker,
        ):
            wait_until(lambda: len(sink.kept()) == 5 or _hint(db))
            assert site.post_event("evt_1")[0] == 200
            with db.transaction() as session:
                payload = {"id": "evt_refund", "object": "event", "type": "refund.created", "livemode": False}
                payload["data"] = {"object": {"id": "re_1", "object": "refund", "payment_intent": "pi_unknown"}}
                session.execute(
                    text(
                        "INSERT INTO stripe_events (event_id, type, payload) VALUES ('evt_refund', 'refund.created', :p)"
                    ),
                    {"p": json.dumps(payload)},
                )
            before, began = len(fake.calls), time.monotonic()
            clicks = {_click(site, token) for _ in range(3)}
            while time.monotonic() - began < WATCH_SECONDS:
                _hint(db, "apply_events", "stripe_sweep")
            rate = (len(fake.calls) - before) / (time.monotonic() - began)
            notices = rows(db, "SELECT kind, count(*) AS n FROM notices WHERE kind LIKE 'stripe.%' GROUP BY kind")
            waits = value(db, "SELECT handled_at IS NULL FROM stripe_events WHERE event_id = 'evt_refund'")
            fake.api_key, fake.limits.per_second = key, None
            wait_until(lambda: _click(site, token) == 303, seconds=20)
            assert worker.poll() is None
        opened = len(fake.sessions("open"))
    figures(f"Stripe {trouble}", **measured(f"stripe {trouble}", calls_per_second=round(rate, 1), waits=waits))
    assert clicks == {503}
    assert len(sink.kept()) == 5
    assert waits, "the event waits for better times"
    assert rate < 5, "a refused call is not repeated at once"
    assert {row.kind: row.n for row in notices} == ({"stripe.key_rejected": 1} if trouble == "revoked" else {})
    assert opened == 1


def _click(site: Site, token: str) -> int:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    return site.ask("POST", f"/p/{token}/pay", urlencode({}).encode(), **headers)[0]
