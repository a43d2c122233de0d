"""Paying while a letter is being made: no look after the payment's commit says send, and no look grows old."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.nudges.letter import LetterInput, WrittenLetter, write_letter
from nudgepay.nudges.terms import terms_of
from nudgepay.payments.actions import record_payment
from nudges.books import MONDAY, due_clients, letters_in, outbox_of, pay, rows, send, states, value


def nothing_left(db: Database, settings: Settings) -> bool:
    return letters_in(outbox_of(settings).directory) == [] and states(db) == {"skipped": 2}


def test_a_payment_before_the_pass_leaves_nothing_to_send(db: Database, settings: Settings) -> None:
    (client_id,) = due_clients(db, 1)
    pay(db, client_id)
    report = send(db, settings)
    assert {one["reason"] for one in report.skipped()} == {"paid"}
    assert nothing_left(db, settings)


def test_a_payment_between_claim_and_look_stops_the_letter(db: Database, settings: Settings) -> None:
    (client_id,) = due_clients(db, 1)
    paid = []

    def watch(moment: str) -> None:
        if moment == "claimed" and not paid:
            pay(db, client_id)
            paid.append(moment)

    send(db, settings, watch=watch)
    assert paid == ["claimed"]
    assert nothing_left(db, settings)


def test_a_look_waits_for_a_payment_that_is_being_booked(db: Database, settings: Settings) -> None:
    (client_id,) = due_clients(db, 1)
    booked, may_commit = threading.Event(), threading.Event()
    order: list[str] = []

    def book() -> None:
        with db.transaction() as session:
            invoice_id = int(session.scalar(text("SELECT id FROM invoices")) or 0)
            record_payment(
                session,
                client_id=client_id,
                amount=10_000,
                currency="EUR",
                provider="manual",
                provider_id="slow",
                kind="manual",
                occurred_at=MONDAY,
                targets=[{"invoice_id": invoice_id, "amount": 10_000}],
                actor="test",
                now=MONDAY,
            )
            booked.set()
            assert may_commit.wait(10)
            order.append("committed")

    payer = threading.Thread(target=book)

    def watch(moment: str) -> None:
        if moment == "claimed" and not booked.is_set():
            payer.start()
            assert booked.wait(10)
            threading.Timer(0.3, may_commit.set).start()
        if moment == "looked":
            order.append("looked")

    send(db, settings, watch=watch)
    payer.join()
    assert order == ["committed", "looked"]
    assert nothing_left(db, settings)


def test_a_payment_during_the_look_waits_for_it_and_is_seen_by_the_next(db: Database, settings: Settings) -> None:
    (client_id,) = due_clients(db, 1)
    paid = threading.Event()

    def book() -> None:
        pay(db, client_id)
        paid.set()

    payer = threading.Thread(target=book)

    def write(letter: LetterInput) -> WrittenLetter:
        payer.start()
        assert not paid.wait(0.3), "the look holds the client's lock"
        return write_letter(letter)

    report = send(db, settings, terms=replace(terms_of(settings), write=write))
    payer.join()
    assert report.counts["accepted"] == 1
    assert send(db, settings).counts.total() == 0


@pytest.mark.parametrize("moment", ["looked", "may_begin"])
def test_a_payment_after_a_fresh_look_is_too_late_for_the_letter_and_only_for_it(
    db: Database, settings: Settings, moment: str
) -> None:
    (client_id,) = due_clients(db, 1)
    paid = []

    def watch(at: str) -> None:
        if at == moment and not paid:
            pay(db, client_id)
            paid.append(at)

    assert send(db, settings, watch=watch).counts["accepted"] == 1
    (row,) = rows(db, "SELECT l.looked_at, f.recorded_at FROM letters l, money_facts f")
    assert row.looked_at < row.recorded_at


@pytest.mark.parametrize("moment", ["looked", "may_begin"])
def test_a_look_that_has_grown_old_is_taken_again_and_sees_the_payment(
    db: Database, settings: Settings, moment: str
) -> None:
    (client_id,) = due_clients(db, 1)
    paid = []

    def watch(at: str) -> None:
        if at == moment and not paid:
            pay(db, client_id)
            paid.append(at)
            threading.Event().wait(0.3)

    report = send(db, settings, watch=watch, terms=replace(terms_of(settings), longest_look_seconds=0.2))
    assert report.counts["too_late"] == 1
    assert {one["reason"] for one in report.skipped()} == {"superseded", "paid"}
    assert nothing_left(db, settings)
    assert states(db, "letters") == {"cancelled": 1}


def test_a_letter_that_always_misses_its_moment_is_left_alone_for_a_minute(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    report = send(db, settings, terms=replace(terms_of(settings), longest_look_seconds=-1.0))
    assert report.counts["too_late"] == 3
    assert letters_in(outbox_of(settings).directory) == []
    assert value(db, "SELECT held_reason FROM reminders WHERE step = 'DUE'") == "sender_not_ready"
    assert states(db, "letters") == {"planned": 1}


def test_no_message_begins_after_its_lease_has_ended(db: Database, settings: Settings) -> None:
    due_clients(db, 1)

    def watch(at: str) -> None:
        if at == "may_begin":
            threading.Event().wait(0.3)

    report = send(db, settings, watch=watch, terms=replace(terms_of(settings), lease_seconds=0.2))
    assert report.counts["accepted"] == 0
    assert letters_in(outbox_of(settings).directory) == []


def test_two_clients_with_one_address_get_one_letter_within_the_gap(db: Database, settings: Settings) -> None:
    first, second = due_clients(db, 2)
    with db.transaction() as session:
        session.execute(text("UPDATE contacts SET email = 'both@client.example'"))
    report = send(db, settings)
    assert value(db, "SELECT count(*) FROM letters") == 1
    assert [held["reason"] for held in report.held()] == ["contact_gap"]
    assert {row.client_id for row in rows(db, "SELECT client_id FROM letters")} < {first, second}


def test_two_workers_with_one_client_each_write_to_their_common_address_once(
    db: Database, settings: Settings
) -> None:
    clients = due_clients(db, 2)
    with db.transaction() as session:
        session.execute(text("UPDATE contacts SET email = 'both@client.example'"))
    together = threading.Barrier(2, timeout=20)

    def watch(moment: str) -> None:
        if moment == "claimed":
            together.wait()

    with ThreadPoolExecutor(2) as workers:
        sending = [workers.submit(send, db, settings, watch=watch, client_ids={client}) for client in clients]
        held = [one["reason"] for report in sending for one in report.result().held()]
    assert value(db, "SELECT count(*) FROM letters") == 1
    assert held == ["contact_gap"]
