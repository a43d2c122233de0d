"""Whether a commit took effect is unknown, or two transactions want each other's rows: nothing happens twice."""

import contextlib
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from automation.processes import hint
from faults.conftest import OwnDatabase
from faults.harness import PROOF, SEED, all_accepted, measured, tally, wait_until
from faults.products import serving, working
from faults.proxy import Proxy
from nudgepay.db import Database, DatabaseUnavailable
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudges.books import due_clients, make_client, make_invoice, pay, rows, value

LETTERS = 200 if PROOF else 16
LOST = 60 if PROOF else 4
DEADLOCKS = 1_000 if PROOF else 12
pytestmark = [pytest.mark.fault, pytest.mark.timeout(900 if PROOF else 120)]


def test_an_event_whose_commit_was_not_answered_is_refused_and_stored_once_when_it_comes_again(
    own: OwnDatabase, tmp_path: Path
) -> None:
    with Proxy(own.server.socket()) as proxy, serving(proxy.url(own.name), tmp_path) as site:
        assert site.post_event("evt_before")[0] == 200
        proxy.lose_answer_to(b"INSERT INTO stripe_events")
        assert site.post_event("evt_doubt")[0] == 503
        assert proxy.lost == 1
        assert value(own.db, "SELECT count(*) FROM stripe_events WHERE event_id = 'evt_doubt'") == 1
        assert site.post_event("evt_doubt")[0] == 200
    assert value(own.db, "SELECT count(*) FROM stripe_events WHERE event_id = 'evt_doubt'") == 1


def test_a_payment_whose_commit_was_not_answered_counts_once_when_it_is_recorded_again(own: OwnDatabase) -> None:
    client_id = make_client(own.db)
    make_invoice(own.db, client_id, "A-1")
    with Proxy(own.server.socket()) as proxy:
        through = Database(proxy.url(own.name))
        through.ping()  # a new connection commits its role first
        proxy.lose_answer_to(b"COMMIT")
        with pytest.raises(DatabaseUnavailable):
            pay(through, client_id)
        assert proxy.lost == 1
        assert value(own.db, "SELECT count(*) FROM money_facts") == 1, "it did take effect"
        pay(through, client_id)
        through.close()
    assert value(own.db, "SELECT count(*) FROM money_facts") == 1
    assert [row.amount for row in rows(own.db, "SELECT amount FROM allocations")] == [10_000]


def test_letters_go_once_although_answers_to_commits_are_lost_all_the_while(
    own: OwnDatabase, tmp_path: Path, figures: Callable[..., None]
) -> None:
    due_clients(own.db, LETTERS)
    dice = random.Random(SEED)
    with (
        SmtpSink(tmp_path / "journal.jsonl", on_kept=lambda _: time.sleep(0.05)) as sink,
        Proxy(own.server.socket()) as proxy,
        working(
            proxy.url(own.name),
            tmp_path,
            sink_port=sink.port,
            journal=sink.journal,
            SENDING_LEASE_SECONDS="2",
            SMTP_TIMEOUT_SECONDS="1",
        ),
    ):
        wait_until(lambda: bool(sink.kept()) or _hint(own.db))
        for number in range(LOST):
            proxy.lose_answer_to(b"COMMIT", of=b"nudgepay")
            wait_until(lambda number=number: proxy.lost > number or _hint(own.db), seconds=60)
            time.sleep(dice.uniform(0, 0.3))
        wait_until(lambda: all_accepted(own.db) or _hint(own.db), seconds=240)
    found = tally(own.db, sink.journal)
    figures("lost COMMIT", **measured("lost answers to commit", found, lost_answers=proxy.lost, seed=SEED))
    assert (found.lost, found.duplicate, found.unexpected, found.unknown) == (0, 0, 0, 0)
    assert proxy.lost == LOST


def _hint(db: Database) -> bool:
    hint(db, "nudge_pass")
    time.sleep(0.2)
    return False


def test_a_deadlock_is_trouble_that_passes_and_the_next_try_has_its_effect_once(
    own: OwnDatabase, figures: Callable[..., None]
) -> None:
    clients = due_clients(own.db, 4)
    refused = taken = 0
    for number in range(DEADLOCKS):
        client_id = clients[number % len(clients)]
        meet = threading.Barrier(2)
        adversary = threading.Thread(target=_cross, args=(own.db, client_id, meet))
        adversary.start()
        for _ in range(5):
            try:
                _book(own.db, client_id, f"cash-{number}", meet)
                taken += 1
                break
            except DatabaseUnavailable:
                refused += 1
        adversary.join(20)
    deadlocks = value(own.db, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    figures("deadlocks", **measured("deadlocks", n=DEADLOCKS, deadlocks=deadlocks, refused_once=refused, taken=taken))
    assert taken == DEADLOCKS
    assert deadlocks > DEADLOCKS / 2, "they did meet"
    assert value(own.db, "SELECT count(*) FROM audit_events WHERE action = 'test.book'") == DEADLOCKS


def _book(db: Database, client_id: int, key: str, meet: threading.Barrier) -> None:
    """Client first, invoice second: our own order."""
    with db.transaction() as session:
        session.execute(text("SELECT id FROM clients WHERE id = :id FOR UPDATE"), {"id": client_id})
        _meet(meet)
        session.execute(text("SELECT id FROM invoices WHERE client_id = :id FOR UPDATE"), {"id": client_id})
        session.execute(
            text("INSERT INTO audit_events (actor, action, subject) VALUES ('test', 'test.book', :key)"), {"key": key}
        )


def _cross(db: Database, client_id: int, meet: threading.Barrier) -> None:
    """Somebody else, in the other order."""
    with contextlib.suppress(DatabaseUnavailable), db.transaction() as session:
        session.execute(text("SELECT id FROM invoices WHERE client_id = :id FOR UPDATE"), {"id": client_id})
        _meet(meet)
        session.execute(text("SELECT id FROM clients WHERE id = :id FOR UPDATE"), {"id": client_id})


def _meet(meet: threading.Barrier) -> None:
    with contextlib.suppress(threading.BrokenBarrierError):
        meet.wait(0.3)
