"""Nothing is left out of the chain and nothing is blamed: gaps, late commits, races, two sealers, a flood."""

import threading
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import text

from audit.chain import KEYS, act, first_bad, sealed, verdict
from nudgepay import audit, clock
from nudgepay.audit.checkpoints import newest_anchor, read_checkpoint
from nudgepay.audit.sealing import SEALER_LOCK, SealerBusy, is_sealing_needed, settled_bound
from nudgepay.audit.signing import SigningKeys
from nudgepay.db import Database
from nudgepay.errors import UsageError

WRITERS, SECONDS = 4, 4.0


def test_a_record_that_commits_late_is_neither_lost_nor_blamed(db: Database) -> None:
    """Its id is smaller than those of records that are there already."""
    with db.transaction() as slow:
        slow.execute(text("INSERT INTO audit_events (actor, action, subject) VALUES ('slow', 'late.commit', 'x:1')"))
        act(db, 3)
        waiting = sealed(db, wait=0.3)
        assert (waiting.records, waiting.waiting, waiting.checkpoint) == (0, True, None)
        assert first_bad(db) is None
    done = sealed(db)
    assert (done.records, done.waiting) == (4, False)
    found = verdict(db)
    assert (found.first_bad, found.checked, found.unsealed) == (None, 4, 0)


def test_a_slow_transaction_holds_up_only_what_came_after_it(db: Database) -> None:
    act(db, 2)
    bound = settled_bound(db, wait_seconds=5)
    with db.transaction() as slow:
        slow.execute(text("INSERT INTO audit_events (actor, action, subject) VALUES ('slow', 'late.commit', 'x:1')"))
        assert bound == 2
        with db.transaction() as reader:
            reader.execute(text("SELECT count(*) FROM audit_events"))
        assert settled_bound(db, wait_seconds=0.3) is None
        slow.rollback()
    assert settled_bound(db, wait_seconds=5) == 3, "an id that will never be there is settled too"


def test_writers_a_sealer_and_slow_transactions_at_once(db: Database, figures: object) -> None:
    """No record without its seal, no false alarm at any moment, whoever commits when."""
    stop, written, alarms, rounds = threading.Event(), count(), [], count()

    def write(number: int) -> None:
        own = Database(db.url, pool_size=1)
        for turn in count():
            if stop.is_set():
                break
            with own.transaction() as session:
                for _ in range(1 + turn % 3):
                    audit.record(session, actor=f"operator:{number}", action="race.write", subject=f"x:{turn}")
                    session.flush()
                    if turn % 5 == number:
                        stop.wait(0.05 * number)
                if turn % 7 == 0:
                    session.rollback()
                else:
                    next(written)
        own.close()

    def seal_and_look() -> None:
        own = Database(db.url, pool_size=2)
        while not stop.is_set():
            sealed(own, wait=1)
            found = verdict(own).first_bad
            if found is not None:
                alarms.append(found)
            next(rounds)
        own.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    threads += [threading.Thread(target=seal_and_look) for _ in range(1)]
    for thread in threads:
        thread.start()
    stop.wait(SECONDS)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert sealed(db).waiting is False
    found = verdict(db)
    with db.transaction() as session:
        rows = session.scalar(text("SELECT count(*) FROM audit_events"))
    assert alarms == []
    assert (found.first_bad, found.unsealed, found.checked) == (None, 0, rows)
    assert found.checked > 50
    assert callable(figures)
    figures("audit race", writers=WRITERS, records=found.checked, looks=next(rounds), alarms=0)


def test_of_two_sealers_one_works(db: Database) -> None:
    act(db, 3)
    with db.advisory_lock(SEALER_LOCK, shared=False, wait_seconds=0) as held, pytest.raises(SealerBusy):
        assert held
        sealed(db)
    assert sealed(db).records == 3
    assert sealed(db).records == 0, "called twice, sealed once"
    with db.transaction() as session:
        assert not is_sealing_needed(session, keys=KEYS)
        assert session.scalar(text("SELECT count(*) FROM audit_checkpoints")) == 1


def test_a_log_without_a_key_is_sealed_and_says_that_nobody_signs(db: Database) -> None:
    act(db, 2)
    done = sealed(db, SigningKeys())
    assert done.checkpoint is not None
    assert done.checkpoint.signature is None
    found = verdict(db, SigningKeys())
    assert (found.first_bad, found.checked) == (None, 2)
    assert "AUDIT_SIGNING_KEY" in found.remarks[0]


def test_a_record_that_waits_for_more_than_five_minutes_is_named(db: Database) -> None:
    act(db, 2)
    sealed(db)
    with db.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        old = "INSERT INTO audit_events (at, actor, action, subject) VALUES (now() - interval '{}', 'a', 'b', 'c')"
        session.execute(text(old.format("4 minutes")))
        session.execute(text(old.format("6 minutes")))
    assert first_bad(db) == ("unsealed", 4)
    assert verdict(db).unsealed == 2
    sealed(db)
    assert first_bad(db) is None


def test_a_checkpoint_is_shipped_whole_and_only_once(db: Database, tmp_path: Path) -> None:
    act(db, 2)
    place = tmp_path / "kept" / "here"
    assert sealed(db, anchors=place).shipped
    assert not sealed(db, anchors=place).shipped
    act(db, 1)
    assert sealed(db, anchors=place).shipped
    assert len(list(place.iterdir())) == 2, "and no part of a file is left"
    found = newest_anchor(place)
    assert found is not None
    assert first_bad(db, KEYS, read_checkpoint(found)) is None
    for content in ("", "{}", "[1]", "null", "{" * 70_000, found.read_text().replace('"seq": 3', '"seq": "3"')):
        broken = tmp_path / "broken.json"
        broken.write_text(content)
        with pytest.raises(UsageError, match=r"broken\.json: is no checkpoint"):
            read_checkpoint(broken)


def test_sealing_and_verifying_cost_the_same_for_each_record(db: Database, figures: object) -> None:
    """Ten times the log takes about ten times as long: linear, in batches, with one batch in memory."""
    fill = (
        "INSERT INTO audit_events (actor, action, subject, origin, after)"
        " SELECT 'operator:' || n % 9, 'invoice.edit', 'invoices:' || n, 'web:203.0.113.7 x',"
        " jsonb_build_object('version', n) FROM generate_series(1, :n) AS n"
    )
    seconds = []
    for size in (4_000, 36_000):
        with db.transaction() as session:
            session.execute(text(fill), {"n": size})
        began = clock.monotonic()
        assert sealed(db).records == size
        seconds.append((clock.monotonic() - began) / size)
    began = clock.monotonic()
    found = verdict(db)
    took = clock.monotonic() - began
    assert (found.first_bad, found.checked) == (None, 40_000)
    assert seconds[1] < 3 * seconds[0], seconds
    assert callable(figures)
    figures("audit cost", sealed_us=round(seconds[1] * 1e6), verified_us=round(took / 40_000 * 1e6), n=40_000)
