"""Operators: the first one, the others, and that somebody is always left who may do everything."""

import threading

import pytest
from sqlalchemy import text

from nudgepay.access.operators import (
    LastSuperadmin,
    add_operator,
    change_password,
    change_role,
    clean_address,
    disable_operator,
    ensure_first_operator,
    operator_by_email,
)
from nudgepay.access.passwords import hash_password, is_password
from nudgepay.access.permissions import Role
from nudgepay.access.sessions import find_session, start_session
from nudgepay.db import Database
from nudgepay.errors import Conflict, UsageError

PASSWORD = "a long enough password"


pytestmark = pytest.mark.usefixtures("quick_hashes")


def test_the_first_operator_is_made_once_and_is_a_row_like_any_other(db: Database) -> None:
    hashed = hash_password(PASSWORD)
    for expected in (True, False):
        with db.transaction() as session:
            assert ensure_first_operator(session, email="Boss@Desk.example", password_hash=hashed) is expected
    with db.transaction() as session:
        found = operator_by_email(session, "boss@desk.example")
        assert is_password(PASSWORD, found.password_hash)
        assert found.role == Role.SUPERADMIN
        assert session.scalar(text("SELECT count(*) FROM audit_events WHERE action = 'operator.create'")) == 1


def test_two_superadmins_who_disable_each_other_at_once_leave_one(db: Database) -> None:
    with db.transaction() as session:
        for email in ("a@desk.example", "b@desk.example"):
            add_operator(session, email=email, password=PASSWORD, role=Role.SUPERADMIN, actor="test")
    outcomes: list[str] = []

    def disable_the_other() -> None:
        try:
            with db.transaction() as session:
                disable_operator(session, operator_by_email(session, "b@desk.example"), actor="test")
            outcomes.append("done")
        except LastSuperadmin:
            outcomes.append("refused")

    other = threading.Thread(target=disable_the_other)
    with db.transaction() as session:
        disable_operator(session, operator_by_email(session, "a@desk.example"), actor="test")
        session.flush()
        other.start()
        other.join(0.5)
    other.join()
    assert outcomes == ["refused"]


def test_the_last_superadmin_keeps_role_and_access(db: Database) -> None:
    with db.transaction() as session:
        one = add_operator(session, email="a@desk.example", password=PASSWORD, role=Role.SUPERADMIN, actor="test")
        add_operator(session, email="b@desk.example", password=PASSWORD, role=Role.MANAGER, actor="test")
        with pytest.raises(LastSuperadmin):
            change_role(session, one, Role.VIEWER, actor="test")
        with pytest.raises(LastSuperadmin):
            disable_operator(session, one, actor="test")


def test_disabling_and_a_new_password_end_every_session(db: Database) -> None:
    with db.transaction() as session:
        add_operator(session, email="boss@desk.example", password=PASSWORD, role=Role.SUPERADMIN, actor="test")
        one = add_operator(session, email="a@desk.example", password=PASSWORD, role=Role.VIEWER, actor="test")
        token = start_session(session, one.id, hours=1)
        assert find_session(session, token, idle_minutes=5) is not None
        change_password(session, one, PASSWORD + "!", actor="test")
        assert find_session(session, token, idle_minutes=5) is None
        again = start_session(session, one.id, hours=1)
        disable_operator(session, one, actor="test")
        assert find_session(session, again, idle_minutes=5) is None


def test_no_token_is_stored(db: Database) -> None:
    with db.transaction() as session:
        one = add_operator(session, email="a@desk.example", password=PASSWORD, role=Role.VIEWER, actor="test")
        token = start_session(session, one.id, hours=1)
        row = session.execute(text("SELECT * FROM sessions")).one()
        assert token.encode() not in repr(tuple(row)).encode()
        assert bytes(row.token_hash) != token.encode()


def test_the_same_address_is_one_operator_in_any_writing(db: Database) -> None:
    with db.transaction() as session:
        add_operator(session, email="a@desk.example", password=PASSWORD, role=Role.VIEWER, actor="test")
        with pytest.raises(Conflict):
            add_operator(session, email=" A@DESK.example ", password=PASSWORD, role=Role.VIEWER, actor="test")


@pytest.mark.parametrize("address", ["", "a", "a@", "@b", "a b@c.example", "a@b@c", "x" * 250 + "@c.example"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(UsageError):
        clean_address(address)
