"""Guessing is counted before anything is compared: by account, network and everywhere, in PostgreSQL."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from nudgepay.access.known_devices import remember_device
from nudgepay.access.limits import A_DAY, DAY, Limit, Terms, Tries, counted, open_again_at
from nudgepay.access.models import Operator
from nudgepay.access.sign_in import Begun, Given, Outcome, begin, settle
from nudgepay.access.sweeping import is_any_left, sweep
from nudgepay.access.throttle import Admitted, Asking, Refused, admit, forgive
from nudgepay.db import Database

TERMS = Terms(attempts=5, window_seconds=300, block_seconds=900)
EMAIL, HASH = "olga@desk.example", "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$c29tZWhhc2g"
IS_PROOF = os.environ.get("NUDGEPAY_PROOF") == "1"
GUESSES = 10_000 if IS_PROOF else 2_500
ADDRESSES = 500
ROUNDS = GUESSES // ADDRESSES


@pytest.fixture
def olga(db: Database) -> int:
    with db.transaction() as session:
        operator = Operator(email=EMAIL, password_hash=HASH, role="viewer", created_by="test")
        session.add(operator)
        session.flush()
        return operator.id


def _guess(network: str, *, email: str = EMAIL, device: str | None = None) -> Given:
    return Given(email=email, password="wrong", code="", network=network, device=device)


def _try(db: Database, given: Given) -> Begun | Refused:
    with db.independent() as session:
        return begin(session, given, terms=TERMS, key="k")


def _later(db: Database, **passed: float) -> None:
    """Everything that was counted lies further back."""
    by = timedelta(**passed)
    with db.transaction() as session:
        session.execute(
            text(
                "UPDATE sign_in_limits SET window_from = window_from - :by, counted_at = counted_at - :by,"
                " told_at = told_at - :by, seen_at = seen_at - :by,"
                " tries = ARRAY(SELECT one - :by FROM unnest(tries) AS one)"
            ),
            {"by": by},
        )


@pytest.mark.timeout(240)
def test_of_ten_thousand_guesses_from_five_hundred_addresses_twenty_a_day_are_looked_at(
    db: Database, olga: int, figures: Callable[..., None]
) -> None:
    with db.transaction() as session:
        known = remember_device(session, olga, token=None)
    evaluated = 0
    for number_of_round in range(ROUNDS):
        if number_of_round:
            _later(db, minutes=24 * 60 / ROUNDS)
        with db.transaction() as session:
            for number in range(ADDRESSES):
                network = f"10.{number // 250}.{number % 250}.0/24"
                evaluated += isinstance(begin(session, _guess(network), terms=TERMS, key="k"), Begun)
    figures("guesses at one account in 24 hours", n=GUESSES, addresses=ADDRESSES, evaluated=evaluated)
    assert 5 <= evaluated <= A_DAY
    assert isinstance(_try(db, _guess("192.0.2.0/24", device="stolen")), Refused)
    assert isinstance(_try(db, _guess("192.0.2.0/24", device=known)), Begun)
    with db.transaction() as session:
        notices = session.execute(text("SELECT kind, details FROM notices")).all()
        assert [tuple(one) for one in notices] == [("sign_in.attack", {"operator": olga})]
        counts = session.scalars(
            text("SELECT (after->>'count')::int FROM audit_events WHERE action = 'sign_in.refuse'")
        ).all()
        rest = session.scalar(text("SELECT sum(refused) FROM sign_in_limits"))
        assert sum(counts) + rest == GUESSES - evaluated + 1
        assert len(counts) < 150
        tried = session.scalar(text("SELECT count(*) FROM audit_events WHERE action = 'sign_in.try'"))
        assert tried == evaluated + 1


def test_of_a_hundred_who_try_at_once_as_many_are_admitted_as_may(db: Database, olga: int) -> None:
    ready = threading.Barrier(10)

    def guess(number: int) -> int:
        ready.wait(20)
        tries = [_try(db, _guess(f"10.0.{number}.0/24")) for _ in range(10)]
        return sum(isinstance(one, Begun) for one in tries)

    with ThreadPoolExecutor(10) as people:
        assert sum(people.map(guess, range(10))) == TERMS.attempts


def test_many_accounts_from_one_network_are_stopped_as_well(db: Database) -> None:
    tries = [_try(db, _guess("10.0.0.0/24", email=f"{n}@desk.example")) for n in range(40)]
    assert [isinstance(one, Begun) for one in tries] == [True] * 20 + [False] * 20
    assert isinstance(_try(db, _guess("10.0.1.0/24", email="1@desk.example")), Begun)


def test_an_unknown_address_is_counted_like_a_known_one_and_never_written_down(db: Database, olga: int) -> None:
    for email in (EMAIL, "nobody@desk.example"):
        tries = [_try(db, _guess(f"10.0.{n}.0/24", email=email)) for n in range(8)]
        assert [isinstance(one, Begun) for one in tries] == [True] * 5 + [False] * 3
        assert {one.retry_after for one in tries if isinstance(one, Refused)} <= {899, 900}
    with db.transaction() as session:
        for table in ("audit_events", "sign_in_limits"):
            written = session.scalar(text(f"SELECT string_agg(t::text, ' ') FROM {table} t"))
            assert "desk.example" not in written


def test_after_a_pause_there_are_as_many_tries_as_before_and_none_more_in_a_day(db: Database, olga: int) -> None:
    for pause in range(4):
        tries = [_try(db, _guess(f"10.{pause}.0.0/24")) for _ in range(6)]
        assert [isinstance(one, Begun) for one in tries] == [True] * 5 + [False]
        _later(db, seconds=TERMS.block_seconds + 1)
    refused = _try(db, _guess("10.9.0.0/24"))
    assert isinstance(refused, Refused)
    assert 80_000 < refused.retry_after <= 86_400 - 3 * TERMS.block_seconds


def test_a_right_try_takes_back_itself_alone(db: Database) -> None:
    asking = Asking("operators:1", "10.0.0.0/24")
    with db.transaction() as session:
        for _ in range(4):
            assert isinstance(admit(session, asking, terms=TERMS), Admitted)
        right = admit(session, Asking("operators:1", "192.0.2.0/24"), terms=TERMS)
        assert isinstance(right, Admitted)
        forgive(session, right)
        assert isinstance(admit(session, asking, terms=TERMS), Admitted)
        assert isinstance(admit(session, asking, terms=TERMS), Refused)


def test_a_known_device_has_a_budget_of_its_own_that_is_small_as_well(db: Database, olga: int) -> None:
    with db.transaction() as session:
        device = remember_device(session, olga, token=None)
        other = Operator(email="eve@desk.example", password_hash=HASH, role="viewer", created_by="test")
        session.add(other)
    assert [isinstance(_try(db, _guess("10.0.0.0/24")), Begun) for _ in range(7)].count(True) == 5
    assert [isinstance(_try(db, _guess("10.0.0.0/24", device=device)), Begun) for _ in range(7)].count(True) == 5
    eve = [_try(db, _guess("10.0.1.0/24", email="eve@desk.example", device=device)) for _ in range(7)]
    assert sum(isinstance(one, Begun) for one in eve) == 5
    with db.transaction() as session:
        newer = remember_device(session, olga, token=device)
        assert session.scalar(text("SELECT count(*) FROM known_devices")) == 1
    assert newer != device


def test_what_is_wrong_when_the_process_dies_stays_counted(db: Database, olga: int) -> None:
    begun = _try(db, _guess("10.0.0.0/24"))
    assert isinstance(begun, Begun)
    with pytest.raises(RuntimeError), db.transaction() as session:
        settle(session, begun, _guess(""), is_right=True, better=None, now=datetime.now(UTC), then=_dies)
    with db.transaction() as session:
        count = session.scalar(text("SELECT window_count FROM sign_in_limits WHERE scope = 'account'"))
        assert (count, session.scalar(text("SELECT count(*) FROM sessions"))) == (1, 0)
        settled = settle(session, begun, _guess(""), is_right=True, better=None, now=datetime.now(UTC), then=_passes)
        assert settled.outcome is Outcome.ACCEPTED


def _dies(_: Operator) -> None:
    raise RuntimeError("killed")


def _passes(_: Operator) -> None:
    """Nothing more to do."""


def test_what_changed_meanwhile_is_wrong(db: Database, olga: int) -> None:
    for change in ("password_hash = 'another'", "disabled_at = now()"):
        begun = _try(db, _guess("10.0.0.0/24"))
        assert isinstance(begun, Begun)
        with db.transaction() as session:
            session.execute(text(f"UPDATE operators SET {change}"))
        with db.transaction() as session:
            given = _guess("")
            settled = settle(session, begun, given, is_right=True, better=None, now=datetime.now(UTC), then=_passes)
            assert settled.outcome is Outcome.WRONG
        with db.transaction() as session:
            session.execute(text("UPDATE operators SET password_hash = :hash, disabled_at = NULL"), {"hash": HASH})


def test_the_sweep_writes_down_the_rest_and_forgets_what_is_over(db: Database, olga: int) -> None:
    for number in range(60):
        _try(db, _guess(f"10.0.{number}.0/24"))
    _later(db, hours=2)
    for number in range(15):
        _try(db, _guess(f"10.1.{number}.0/24"))
    _later(db, minutes=2)
    with db.transaction() as session:
        assert is_any_left(session, idle_minutes=30)
        assert sweep(session, idle_minutes=30)["refused"] > 0
        told = session.scalar(
            text("SELECT sum((after->>'count')::int) FROM audit_events WHERE action = 'sign_in.refuse'")
        )
        assert told == 75 - 10
        assert session.scalar(text("SELECT count(*) FROM notices WHERE resolved_at IS NULL")) == 1
        assert not is_any_left(session, idle_minutes=30)
    _later(db, hours=26)
    with db.transaction() as session:
        session.execute(text("UPDATE known_devices SET ends_at = now()"))
        assert sweep(session, idle_minutes=30)["limits"] > 2
        assert session.scalar(text("SELECT count(*) FROM sign_in_limits")) == 0
        assert session.scalar(text("SELECT count(*) FROM notices WHERE resolved_at IS NULL")) == 0


@given(
    st.lists(st.integers(min_value=0, max_value=40_000), min_size=1, max_size=120),
    st.integers(min_value=1, max_value=20),
    st.integers(min_value=1, max_value=4_000),
    st.integers(min_value=1, max_value=4_000),
)
def test_no_rhythm_of_trying_gets_more_than_twenty_looks_in_any_day(
    gaps: list[int], attempts: int, window: int, block: int
) -> None:
    limit = Limit(attempts, timedelta(seconds=window), timedelta(seconds=block), A_DAY)
    at, tries = datetime(2026, 1, 1, tzinfo=UTC), Tries()
    looked_at: list[datetime] = []
    for gap in gaps:
        at += timedelta(seconds=gap)
        until = open_again_at(tries, limit, at=at)
        if until is None:
            tries = counted(tries, limit, at=at)
            looked_at.append(at)
        else:
            assert open_again_at(tries, limit, at=until) is None
    for first in looked_at:
        assert sum(first <= one < first + DAY for one in looked_at) <= A_DAY
        assert sum(first <= one < first + min(limit.window, limit.block) for one in looked_at) <= 2 * attempts
