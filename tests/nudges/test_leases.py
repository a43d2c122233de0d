"""Leases on the database's clock, and the fence that silences whoever lost one."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.nudges.claiming import claim, expire_leases, release
from nudgepay.nudges.looking import look
from nudgepay.nudges.terms import terms_of
from nudges.books import MONDAY, Answering, due_clients, letters_in, outbox_of, rows, send, states, value


def expire(db: Database) -> Any:
    with db.transaction() as session:
        return expire_leases(session)


def end_leases(db: Database) -> None:
    with db.transaction() as session:
        session.execute(text("UPDATE reminders SET lease_until = clock_timestamp() - interval '1 s'"))
        session.execute(text("UPDATE letters SET lease_until = clock_timestamp() - interval '1 s'"))


def test_a_client_is_in_the_hands_of_one_claim_at_a_time(db: Database) -> None:
    due_clients(db, 3)
    with db.transaction() as session:
        first = claim(session, now=MONDAY, lease_seconds=60, batch=2)
    with db.transaction() as session:
        second = claim(session, now=MONDAY, lease_seconds=60)
    assert (len(first), len(second)) == (2, 1)
    assert {one.client_id for one in first}.isdisjoint(one.client_id for one in second)


def test_a_claim_passes_over_clients_that_somebody_has_locked(db: Database) -> None:
    ids = due_clients(db, 2)
    with db.transaction() as holder:
        holder.execute(text("SELECT id FROM clients WHERE id = :id FOR UPDATE"), {"id": ids[0]})
        with db.transaction() as session:
            assert [one.client_id for one in claim(session, now=MONDAY, lease_seconds=60)] == [ids[1]]


def test_a_claim_finds_the_free_ones_behind_many_that_are_taken(db: Database) -> None:
    due_clients(db, 30)
    with db.transaction() as holder:
        holder.execute(text("SELECT id FROM clients ORDER BY id LIMIT 29 FOR UPDATE"))
        with db.transaction() as session:
            assert len(claim(session, now=MONDAY, lease_seconds=60, batch=2)) == 1


def test_what_is_released_is_due_again_and_its_old_fence_is_worth_nothing(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    with db.transaction() as session:
        old = claim(session, now=MONDAY, lease_seconds=60)
        release(session, old)
    with db.transaction() as session:
        new = claim(session, now=MONDAY, lease_seconds=60)
        release(session, old)
    with db.transaction() as session:
        seen = look(session, old, terms=terms_of(settings), now=MONDAY)
    assert (seen.fenced, seen.outgoing) == (1, [])
    with db.transaction() as session:
        assert len(look(session, new, terms=terms_of(settings), now=MONDAY).outgoing) == 1


def test_an_expired_claim_is_planned_again(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    with db.transaction() as session:
        claim(session, now=MONDAY, lease_seconds=60)
    assert expire(db).released == 0, "its lease still runs"
    end_leases(db)
    assert expire(db).released == 2
    assert send(db, settings).counts["accepted"] == 1


class Killed(BaseException):
    """The process is gone: nothing catches this."""


@pytest.mark.parametrize(("moment", "stored"), [("may_begin", 0), ("delivered", 1)])
def test_a_worker_killed_while_sending_leaves_doubt_that_only_its_record_settles(
    db: Database, settings: Settings, moment: str, stored: int
) -> None:
    due_clients(db, 1)

    def watch(at: str) -> None:
        if at == moment:
            raise Killed

    with pytest.raises(Killed):
        send(db, settings, watch=watch)
    assert states(db, "letters") == {"sending": 1}
    assert send(db, settings).counts.total() == 0, "it is in the hands of the dead until the lease ends"
    end_leases(db)
    assert expire(db).doubtful == 1
    assert states(db, "letters") == {"unknown": 1}
    assert value(db, "SELECT kind FROM notices") == "letter.unknown"
    assert send(db, settings).counts.total() == 0, "never blindly again"
    assert len(letters_in(outbox_of(settings).directory)) == stored


def test_a_worker_that_lost_its_lease_writes_nothing(db: Database, settings: Settings) -> None:
    due_clients(db, 1)

    def watch(at: str) -> None:
        if at == "delivered":
            end_leases(db)
            expire(db)

    report = send(db, settings, watch=watch)
    assert (report.counts["fenced"], report.counts["accepted"]) == (1, 0)
    (letter,) = rows(db, "SELECT * FROM letters")
    assert (letter.state, letter.accepted_at, letter.reply) == ("unknown", None, None)
    assert states(db)["unknown"] == 1


def test_a_worker_of_an_earlier_try_cannot_settle_the_later_one(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    late_word = threading.Event()
    second = []

    def first_worker(at: str) -> None:
        if at != "delivered" or second:
            return
        end_leases(db)
        expire(db)
        with db.transaction() as session:
            session.execute(text("UPDATE letters SET state = 'planned'"))
            session.execute(text("UPDATE reminders SET state = 'planned' WHERE state = 'unknown'"))
        second.append(send(db, settings, transport=Answering(outbox_of(settings)), watch=stops_before_settling))
        late_word.set()

    def stops_before_settling(at: str) -> None:
        if at == "may_begin":
            assert value(db, "SELECT fence FROM letters") == 2

    report = send(db, settings, watch=first_worker)
    assert report.counts["fenced"] == 1
    assert second[0].counts["accepted"] == 1
    assert len(letters_in(outbox_of(settings).directory)) == 1


def test_leases_do_not_care_for_business_time(db: Database, settings: Settings) -> None:
    due_clients(db, 1)
    with db.transaction() as session:
        claim(session, now=MONDAY, lease_seconds=60)
    long_after = MONDAY.replace(year=2027)
    assert send(db, settings, now=long_after, terms=replace(terms_of(settings))).counts.total() == 0
