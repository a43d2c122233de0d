"""The queues' figures are those of the rows, and reading them never holds up a scrape."""

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from nudgepay.automation import gauges
from nudgepay.automation.backlog import QUEUES, late_queues, read_backlog
from nudgepay.automation.gauges import QueueCollector
from nudgepay.db import Database
from nudges.books import due_clients, value

QUARTER = timedelta(minutes=15)


def change(db: Database, statement: str) -> None:
    with db.transaction() as session:
        session.execute(text(statement))


def store_event(db: Database, event_id: str, *, minutes: int, more: str = "") -> None:
    change(
        db,
        "INSERT INTO stripe_events (event_id, type, payload, received_at)"
        f" VALUES ('{event_id}', 'x', '{{}}', now() - interval '{minutes} minutes')",
    )
    if more:
        change(db, f"UPDATE stripe_events SET {more} WHERE event_id = '{event_id}'")


def late(db: Database) -> list[str]:
    with db.transaction() as session:
        return late_queues(session, patience=QUARTER)


def samples(collector: QueueCollector) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("queue", "")): sample.value
        for family in collector.collect()
        for sample in family.samples
    }


@pytest.fixture
def collector(database_url: str) -> Iterator[QueueCollector]:
    made = QueueCollector(Database(database_url, pool_size=1))
    yield made
    made.close()


def test_every_queue_is_counted_with_its_oldest_row(db: Database, collector: QueueCollector) -> None:
    due_clients(db, 3)
    change(db, "UPDATE reminders SET look_at = now() - interval '1 hour' WHERE id = (SELECT min(id) FROM reminders)")
    change(db, "UPDATE reminders SET look_at = now() WHERE id > (SELECT min(id) FROM reminders)")
    change(db, "UPDATE invoices SET next_at = CASE number WHEN 'A-0' THEN now() - interval '2 hours' END")
    waiting = value(db, "SELECT count(*) FROM reminders WHERE state = 'planned'")
    assert waiting >= 3
    store_event(db, "evt_1", minutes=30)
    change(db, "INSERT INTO notices (kind, dedup_key, details) VALUES ('a', 'a', '{}')")
    found = samples(collector)
    assert {queue for _, queue in found} == {*QUEUES, ""}
    depth = {queue: found["nudgepay_queue_depth", queue] for queue in QUEUES}
    assert depth == {"planning": 1, "reminders": waiting, "stripe_events": 1, "unknown_letters": 0, "notices": 1}
    assert found["nudgepay_queue_oldest_age_seconds", "reminders"] == pytest.approx(3600, abs=60)
    assert found["nudgepay_queue_oldest_age_seconds", "planning"] == pytest.approx(7200, abs=60)
    assert found["nudgepay_webhook_backlog_age_seconds", ""] == pytest.approx(1800, abs=60)
    assert found["nudgepay_queue_read_success", ""] == 1


def test_the_oldest_row_is_found_however_long_the_queue(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nudgepay.automation.backlog.CAP", 2)
    due_clients(db, 4)
    change(db, "UPDATE reminders SET look_at = now() - interval '1 hour' * id")
    with db.transaction() as session:
        waiting = {one.queue: one for one in read_backlog(session)}["reminders"]
    assert waiting.count == 2
    assert waiting.oldest_seconds > 3600 * (value(db, "SELECT max(id) FROM reminders") - 0.5)


def test_a_locked_table_leaves_the_series_out_and_says_so(db: Database, collector: QueueCollector) -> None:
    with db.transaction() as session:
        session.execute(text("LOCK TABLE reminders IN ACCESS EXCLUSIVE MODE"))
        assert samples(collector) == {("nudgepay_queue_read_success", ""): 0}
    assert samples(collector)["nudgepay_queue_read_success", ""] == 1


def test_a_server_that_never_answers_holds_up_no_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "PATIENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        hung = QueueCollector(Database(f"postgresql://nobody@127.0.0.1:{port}/none", pool_size=1))
        for _ in range(3):
            assert samples(hung) == {("nudgepay_queue_read_success", ""): 0}
        readers = [thread for thread in threading.enumerate() if thread.name.startswith("gauges")]
        assert len(readers) == 1
    hung.close()
    readers[0].join(10)


def test_a_due_reminder_that_nobody_looks_at_is_late(db: Database) -> None:
    due_clients(db, 1)
    change(db, "UPDATE invoices SET next_at = NULL")
    assert late(db) == []
    change(db, "UPDATE reminders SET look_at = now() - interval '1 day', updated_at = now() - interval '16 minutes'")
    assert late(db) == ["reminders"]
    change(db, "UPDATE reminders SET held_reason = 'contact_gap', look_at = now() + interval '1 day'")
    assert late(db) == []


def test_an_invoice_that_nobody_plans_is_late(db: Database) -> None:
    due_clients(db, 1)
    change(db, "UPDATE reminders SET look_at = now()")
    change(db, "UPDATE invoices SET next_at = now() - interval '16 minutes'")
    assert late(db) == ["planning"]


def test_an_event_that_nobody_tries_is_late_and_one_that_is_tried_is_not(db: Database) -> None:
    store_event(db, "evt_new", minutes=5)
    store_event(db, "evt_done", minutes=60, more="handled_at = now()")
    store_event(db, "evt_tried", minutes=60, more="attempts = 5, next_try_at = now() + interval '1 minute'")
    assert late(db) == []
    store_event(db, "evt_left", minutes=16)
    assert late(db) == ["stripe_events"]
    change(db, "DELETE FROM stripe_events WHERE event_id = 'evt_left'")
    change(db, "UPDATE stripe_events SET next_try_at = now() - interval '2 minutes' WHERE event_id = 'evt_tried'")
    assert late(db) == ["stripe_events"]
