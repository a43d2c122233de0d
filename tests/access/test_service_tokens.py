"""Tokens of programs: what is stored, how long they work, what they may, and what outlives a change of the pepper."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from access.people import working
from nudgepay import clock
from nudgepay.access.operators import change_role, disable_operator, enable_operator, operator_by_id
from nudgepay.access.peppers import peppers_of
from nudgepay.access.permissions import Permission, Role
from nudgepay.access.service_tokens import (
    MOST,
    SCOPES,
    MoreThanOwn,
    Program,
    TooManyTokens,
    Wanted,
    find_program,
    known_tokens,
    make_token,
    revoke_token,
    token_by_prefix,
)
from nudgepay.access.sessions import SignedIn
from nudgepay.db import Database
from nudgepay.errors import UsageError
from nudgepay.log import redact

OLD, NEW = "o" * 20 + "ld pepper of tests", "n" * 20 + "ew pepper of tests"
PEPPERS = peppers_of(OLD)
WANTED = Wanted("nightly copy", [Permission.BOOKS_EXPORT])


@pytest.fixture
def ada(db: Database) -> SignedIn:
    with db.transaction() as session:
        working(session, "bo")
        return working(session, "ada")


def made(db: Database, by: SignedIn, wanted: Wanted = WANTED, pepper: str = OLD) -> str:
    with db.transaction() as session:
        return make_token(session, wanted, by=by, peppers=peppers_of(pepper))[1]


def found(db: Database, written: str, peppers: str = OLD) -> Program | None:
    with db.transaction() as session:
        return find_program(session, written, peppers=peppers_of(peppers))


def change(db: Database, sql: str) -> None:
    with db.transaction() as session:
        session.execute(text(sql))


def test_a_token_works_and_no_part_of_its_secret_is_stored_or_logged(db: Database, ada: SignedIn) -> None:
    written = made(db, ada)
    program = found(db, written)
    assert program is not None
    assert (program.may(Permission.BOOKS_EXPORT), program.may(Permission.AUDIT_READ)) == (True, False)
    secret = written.split("_")[2]
    assert len(secret) * 5.95 > 255
    with db.transaction() as session:
        for table in ("service_tokens", "audit_events", "notices"):
            rows = repr(session.execute(text(f"SELECT t::text FROM {table} t")).all())
            assert secret[:8] not in rows
            assert secret.encode().hex()[:16] not in rows
    assert secret[:8] not in redact(f"Authorization: Bearer {written} and /exports?token={written}")


def test_what_is_no_living_token_is_nobody(db: Database, ada: SignedIn) -> None:
    written = made(db, ada)
    kind, prefix, secret = written.split("_")
    other = made(db, ada, replace(WANTED, name="other"))
    for wrong in (
        "",
        "npt_",
        prefix,
        f"{kind}_{prefix}_{secret[:-1]}{'a' if secret[-1] != 'a' else 'b'}",
        f"{kind}_{prefix}_{other.split('_')[2]}",
        f"{kind}_{prefix[::-1]}_{secret}",
        f"{written} ",
        f"{written}\n",
        written.upper(),
        "npt_" + "x" * 10_000,
        "npt_" + "é" * 10 + "_" + "é" * 43,
    ):
        assert found(db, wrong) is None
    assert found(db, written) is not None


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE service_tokens SET expires_at = now() - interval '1 second'",
        "UPDATE service_tokens SET revoked_at = now()",
        "UPDATE operators SET disabled_at = now() WHERE email = 'ada@desk.example'",
        "UPDATE service_tokens SET pepper_id = 'gone'",
    ],
)
def test_an_expired_revoked_or_orphaned_token_is_dead(db: Database, ada: SignedIn, ending: str) -> None:
    written = made(db, ada)
    change(db, ending)
    assert found(db, written) is None
    with db.transaction() as session:
        state = known_tokens(session, peppers=PEPPERS, now=clock.now())[0].state
        assert state in {"expired", "revoked", "orphaned", "unreadable"}


def test_a_token_never_may_more_than_who_made_it_may_now(db: Database, ada: SignedIn) -> None:
    written = made(db, ada, Wanted("both", list(SCOPES)))
    with db.transaction() as session:
        owner = operator_by_id(session, ada.operator_id)
        change_role(session, owner, Role.OPERATOR, actor="test")
    program = found(db, written)
    assert program is not None
    assert program.scopes == frozenset()
    with db.transaction() as session:
        disable_operator(session, operator_by_id(session, ada.operator_id), actor="test")
    assert found(db, written) is None
    with db.transaction() as session:
        owner = operator_by_id(session, ada.operator_id)
        enable_operator(session, owner, actor="test")
        change_role(session, owner, Role.AUDITOR, actor="test")
    program = found(db, written)
    assert program is not None
    assert program.scopes == set(SCOPES)


def test_a_new_pepper_rehashes_on_use_and_the_old_one_can_go(db: Database, ada: SignedIn) -> None:
    used, idle = made(db, ada), made(db, ada, replace(WANTED, name="idle"))
    assert found(db, used, NEW) is None
    assert found(db, used, f"{NEW},{OLD}") is not None
    assert found(db, used, NEW) is not None
    assert found(db, used, OLD) is None
    assert found(db, idle, NEW) is None
    with db.transaction() as session:
        states = {one.name: one.state for one in known_tokens(session, peppers=peppers_of(NEW), now=clock.now())}
        assert states == {"nightly copy": "working", "idle": "unreadable"}
        ids = {one.id for one in peppers_of(f"{NEW},{OLD}")}
        assert len(ids) == 2
        assert not any(part in name for name in ids for part in (OLD, NEW))


def test_its_use_is_written_down_at_most_once_a_minute(db: Database, ada: SignedIn) -> None:
    written = made(db, ada)

    def last() -> Any:
        with db.transaction() as session:
            return session.execute(text("SELECT last_used_at, xmin::text FROM service_tokens")).one()

    assert last()[0] is None
    found(db, written)
    first = last()
    found(db, written)
    assert last() == first
    change(db, "UPDATE service_tokens SET last_used_at = now() - interval '61 seconds'")
    found(db, written)
    assert last()[0] > first[0] - timedelta(seconds=1)
    assert last()[1] != first[1]


def test_nobody_hands_on_what_they_have_not_or_for_longer_than_a_year(db: Database, ada: SignedIn) -> None:
    with db.transaction() as session:
        poor = working(session, "otto", Role.OPERATOR)
        with pytest.raises(MoreThanOwn):
            make_token(session, WANTED, by=poor, peppers=PEPPERS)
        for wanted in (
            replace(WANTED, scopes=[]),
            replace(WANTED, scopes=["operator:write"]),
            replace(WANTED, scopes=["*"]),
            replace(WANTED, days=366),
            replace(WANTED, days=0),
            replace(WANTED, name="  "),
            replace(WANTED, name="x" * 61),
            replace(WANTED, name="a\x00b"),
        ):
            with pytest.raises(UsageError):
                make_token(session, wanted, by=ada, peppers=PEPPERS)
    made(db, ada)
    with pytest.raises(IntegrityError):
        change(db, "UPDATE service_tokens SET expires_at = created_at + interval '400 days'")
    with db.transaction() as session:
        for number in range(MOST - 1):
            make_token(session, replace(WANTED, name=f"n{number}"), by=ada, peppers=PEPPERS)
        with pytest.raises(TooManyTokens):
            make_token(session, WANTED, by=ada, peppers=PEPPERS)


def test_revoking_is_final_and_happens_once(db: Database, ada: SignedIn) -> None:
    written = made(db, ada)
    with db.transaction() as session:
        token = token_by_prefix(session, written.rpartition("_")[0])
        for actor in ("operator:1", "operator:2"):
            revoke_token(session, token.id, actor=actor)
        assert token.revoked_by == "operator:1"
        assert session.scalar(text("SELECT count(*) FROM audit_events WHERE action = 'token.revoke'")) == 1
    assert found(db, written) is None
