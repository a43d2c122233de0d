"""Codes: each good once, whoever asks at the same time and whatever the clock does."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from sqlalchemy import text

from nudgepay.access import recovery_codes, totp
from nudgepay.access.factors import factors_of, use_code
from nudgepay.access.models import Operator
from nudgepay.access.operators import reset_second_factor
from nudgepay.db import Database
from nudgepay.errors import UsageError

NOW = datetime(2026, 3, 2, 9, 0, 7, tzinfo=UTC)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
def olga(db: Database) -> int:
    with db.transaction() as session:
        operator = Operator(email="olga@desk.example", password_hash="!", role="viewer", created_by="test")
        session.add(operator)
        session.flush()
        totp.enrol(session, operator.id, SECRET, actor="test")
        return operator.id


def _code(at: datetime) -> str:
    return pyotp.TOTP(SECRET).at(at)


def _use(db: Database, operator_id: int, code: str, at: datetime) -> str | None:
    with db.transaction() as session:
        return use_code(session, operator_id, code, now=at)


def test_a_code_is_good_once_and_one_step_on_either_side(db: Database, olga: int) -> None:
    for seconds in (-120, -60, 60, 120):
        assert _use(db, olga, _code(NOW + timedelta(seconds=seconds)), NOW) is None
    assert _use(db, olga, _code(NOW - timedelta(seconds=30)), NOW) == "code"
    assert _use(db, olga, _code(NOW), NOW) == "code"
    assert _use(db, olga, _code(NOW), NOW) is None
    spaced = _code(NOW + timedelta(seconds=30))
    assert _use(db, olga, f" {spaced[:3]} {spaced[3:]}", NOW) == "code"


def test_a_step_never_goes_backward_whatever_the_clock_does(db: Database, olga: int) -> None:
    assert _use(db, olga, _code(NOW), NOW) == "code"
    for back in (timedelta(minutes=10), timedelta(days=2)):
        assert _use(db, olga, _code(NOW - back), NOW - back) is None
    assert _use(db, olga, _code(NOW), NOW + timedelta(seconds=25)) is None
    later = NOW + timedelta(minutes=1)
    assert _use(db, olga, _code(later), later) == "code"


def test_of_fifty_who_use_a_code_at_once_exactly_one_is_let_in(db: Database, olga: int) -> None:
    with db.transaction() as session:
        recovery = recovery_codes.make_anew(session, olga, actor="test")[0]
    for code, kind in ((_code(NOW), "code"), (recovery, "recovery")):
        ready = threading.Barrier(10)

        def use(_: int, code: str = code, ready: threading.Barrier = ready) -> list[str | None]:
            ready.wait(20)
            return [_use(db, olga, code, NOW) for _ in range(5)]

        with ThreadPoolExecutor(10) as people:
            used = [one for found in people.map(use, range(10)) for one in found]
        assert sorted(map(str, used)) == ["None"] * 49 + [kind]


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "000000\n1", "x" * 64, "\x00" * 6])
def test_what_is_no_code_is_refused(db: Database, olga: int, code: str) -> None:
    assert _use(db, olga, code, NOW) is None


def test_recovery_codes_are_stored_hashed_counted_and_replaced(db: Database, olga: int) -> None:
    with db.transaction() as session:
        codes = recovery_codes.make_anew(session, olga, actor="test")
        assert len(set(codes)) == 10
        stored = session.execute(text("SELECT string_agg(r::text, ' ') FROM recovery_codes r")).scalar_one()
        assert not any(code in stored or code.replace("-", "") in stored for code in codes)
    assert _use(db, olga, codes[3].upper().replace("-", " "), NOW) == "recovery"
    assert _use(db, olga, codes[3], NOW) is None
    with db.transaction() as session:
        assert recovery_codes.count_left(session, olga) == 9
        recovery_codes.make_anew(session, olga, actor="test")
    assert _use(db, olga, codes[4], NOW) is None


def test_a_reset_forgets_app_and_codes(db: Database, olga: int) -> None:
    with db.transaction() as session:
        codes = recovery_codes.make_anew(session, olga, actor="test")
        assert factors_of(session, olga) == ["totp"]
        assert reset_second_factor(session, session.get_one(Operator, olga), actor="test")
        assert factors_of(session, olga) == []
    assert _use(db, olga, codes[0], NOW) is None
    assert _use(db, olga, _code(NOW), NOW) is None


@pytest.mark.parametrize("secret", ["", "short", "JBSWY3DPEHPK3PX1", "JBSW Y3DP", "!" * 32])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(UsageError):
        totp.clean_secret(secret)
    assert totp.clean_secret("jbsw y3dp-ehpk 3pxp") == "JBSWY3DPEHPK3PXP"
