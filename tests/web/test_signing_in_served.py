"""Signing in before real processes: a session that ends is over in all of them; an answer's time tells nothing."""

import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import text

from examples import PROOF
from nudgepay.access import passwords
from nudgepay.access.operators import add_operator, change_password, change_role, disable_operator, operator_by_email
from nudgepay.access.passwords import hash_for_settings
from nudgepay.access.permissions import Role
from nudgepay.access.sessions import end_sessions_of, start_session
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.runtime import Runtime
from web.served import Served, serving
from web.test_enumeration import apart
from web.ui.door import EMAIL, PASSWORD, Visitor, people

SEED = 20261124
TRIES = 400 if PROOF else 80
AT_ONCE_SECONDS = 1.0


def _status(served: Served, cookie: str, path: str = "/account") -> int:
    headers = {"Cookie": f"nudgepay_session={cookie}", "Accept": "application/json"}
    return served.ask(path, headers=headers)[0]


def test_a_session_that_ends_is_over_in_every_process_within_a_second(
    db: Database, settings: Settings, tmp_path: Path, quick_hashes: None, figures: Callable[..., None]
) -> None:
    with db.transaction() as session:
        for email, role in ((EMAIL, Role.SUPERADMIN), ("boss@desk.example", Role.SUPERADMIN)):
            add_operator(session, email=email, password=PASSWORD, role=role, actor="test")
    slowest = 0.0
    with serving(settings, tmp_path / "one") as one, serving(settings, tmp_path / "two") as two:

        def ended(how: Callable[..., None]) -> None:
            nonlocal slowest
            with db.transaction() as session:
                operator = operator_by_email(session, EMAIL)
                cookie = start_session(session, operator.id, hours=1)
            assert [_status(one, cookie), _status(two, cookie)] == [200, 200]
            with db.transaction() as session:
                how(session, operator_by_email(session, EMAIL))
            began = time.monotonic()
            assert [_status(two, cookie), _status(one, cookie)] == [401, 401]
            slowest = max(slowest, time.monotonic() - began)

        ended(lambda session, operator: end_sessions_of(session, operator.id))
        ended(lambda session, operator: change_password(session, operator, PASSWORD + "!", actor="test"))
        with db.transaction() as session:
            operator = operator_by_email(session, EMAIL)
            cookie = start_session(session, operator.id, hours=1)
        path = "/operators/1/sessions"
        assert [_status(one, cookie, path), _status(two, cookie, path)] == [200, 200]
        with db.transaction() as session:
            change_role(session, operator_by_email(session, EMAIL), Role.VIEWER, actor="test")
        assert [_status(two, cookie, path), _status(one, cookie, path)] == [403, 403]
        _sign_out(one, cookie)
        assert [_status(two, cookie), _status(one, cookie)] == [401, 401]
        ended(lambda session, operator: disable_operator(session, operator, actor="test"))
    figures("a session that ends, in two processes", slowest_seconds=round(slowest, 3))
    assert slowest < AT_ONCE_SECONDS


def _sign_out(served: Served, cookie: str) -> None:
    headers = {"Cookie": f"nudgepay_session={cookie}", "Accept": "text/html"}
    token = re.search(r'name="_csrf_token" value="(\w+)"', served.ask("/account", headers=headers)[2])
    assert token is not None
    assert served.ask("/logout", method="POST", form={"_csrf_token": token[1]}, headers=headers)[0] == 303


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["argon2id", "bcrypt"])
def test_the_time_of_a_refusal_tells_no_unknown_address_from_a_wrong_password(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, figures: Callable[..., None], kind: str
) -> None:
    monkeypatch.setattr(passwords, "COST", 6)
    monkeypatch.setattr(passwords, "NOBODYS", hash_for_settings("nobody has this password"))
    monkeypatch.setattr(passwords, "HASHER", Argon2Hasher(time_cost=2, memory_cost=4096, parallelism=1))
    people(runtime)
    with runtime.db.transaction() as session:
        gone = "gone@desk.example"
        add_operator(session, email=gone, password=PASSWORD, role=Role.VIEWER, actor="test")
        disable_operator(session, operator_by_email(session, gone), actor="test")
        if kind == "bcrypt":
            operator_by_email(session, EMAIL).password_hash = hash_for_settings(PASSWORD)
    groups = {"wrong": EMAIL, "null": EMAIL, "unknown": "nobody@desk.example", "disabled": gone}
    times: dict[str, list[float]] = {name: [] for name in groups}
    answers: set[tuple[int, str]] = set()
    visitor, dice = Visitor(runtime), random.Random(SEED)
    token = visitor.token()
    for number in range(TRIES + 3):
        turn = list(groups)
        dice.shuffle(turn)
        for name in turn:
            with runtime.db.transaction() as session:
                session.execute(text("DELETE FROM sign_in_limits"))
            fields = {"_csrf_token": token, "email": groups[name], "password": "another password"}
            began = time.perf_counter()
            answer = visitor.client.post("/login", data=fields, headers=visitor.headers)
            if number >= 3:
                times[name].append(time.perf_counter() - began)
            answers.add((answer.status_code, answer.text.replace(groups[name], "")))
    null = apart(times["wrong"], times["null"])
    found = {name: apart(times["wrong"], times[name]) for name in ("unknown", "disabled")}
    ratios = {name: median(times[name]) / median(times["wrong"]) for name in found}
    figures(
        f"refusals while somebody's hash is {kind}",
        n=TRIES,
        seed=SEED,
        null=round(null, 3),
        **{f"auc_distance_{name}": round(value, 3) for name, value in found.items()},
        **{f"median_ratio_{name}": round(value, 3) for name, value in ratios.items()},
    )
    assert len(answers) == 1
    assert next(iter(answers))[0] == 401
    assert max(found.values()) <= null + 0.15
