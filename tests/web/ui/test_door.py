"""Who is let in: passwords, codes, how often anybody may try, and what an outsider learns from it."""

from collections.abc import Callable

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import text
from starlette.responses import Response

from nudgepay import metrics
from nudgepay.access import passwords, recovery_codes
from nudgepay.access.operators import change_role, disable_operator, operator_by_email
from nudgepay.access.permissions import PERMISSIONS, Role
from nudgepay.runtime import Runtime, build_runtime
from nudgepay.web.ui.cookies import Cookies
from web.ui.door import BOSS, EMAIL, PASSWORD, Visitor, code_now, people

pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture
def house(runtime: Runtime, quick_hashes: None) -> Runtime:
    people(runtime)
    return runtime


@pytest.fixture
def guarded(runtime: Runtime, quick_hashes: None) -> Runtime:
    people(runtime, with_totp=True)
    return runtime


@pytest.fixture
def behind_proxy(house: Runtime) -> Runtime:
    made = build_runtime(house.settings.model_copy(update={"trusted_proxies": "127.0.0.0/8"}))
    yield made
    made.close()


def _retried(runtime: Runtime, **passed: int) -> None:
    with runtime.db.transaction() as session:
        by = ", ".join(f"{unit} => {number}" for unit, number in passed.items())
        session.execute(
            text(
                f"UPDATE sign_in_limits SET counted_at = counted_at - make_interval({by}),"
                f" window_from = window_from - make_interval({by})"
            )
        )


def test_login_requires_totp(guarded: Runtime) -> None:
    visitor = Visitor(guarded)
    for given in ({}, {"code": "000000"}, {"code": code_now(steps=-9)}):
        answer = visitor.sign_in(**given)
        assert answer.status_code == 401
        assert "Invalid authentication code" in answer.text
        assert "nudgepay_session" not in visitor.client.cookies
        assert not visitor.is_in()
    wrong = visitor.sign_in(password="another password", code=code_now())
    assert "Invalid credentials" in wrong.text
    assert "Invalid authentication code" not in wrong.text
    code = code_now()
    assert visitor.sign_in(code=code, next="/invoices").headers["location"] == "/invoices"
    assert visitor.is_in()
    assert Visitor(guarded).sign_in(code=code).status_code == 401


def test_the_form_asks_for_the_code_in_a_second_step(guarded: Runtime) -> None:
    visitor = Visitor(guarded)
    asked = visitor.sign_in(step="password", next="/plan")
    assert (asked.status_code, "Invalid" in asked.text, 'name="code"' in asked.text) == (200, False, True)
    assert visitor.get("/").status_code == 303
    with guarded.db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM sessions")) == 0
        assert session.scalar(text("SELECT count(*) FROM known_devices")) == 0
    wrong = visitor.post("/login", {"step": "code", "code": "000000"}, of="/login")
    assert (wrong.status_code, "Invalid authentication code" in wrong.text) == (401, True)
    let_in = visitor.post("/login", {"step": "code", "code": code_now(), "next": "/plan"}, of="/login")
    assert (let_in.status_code, let_in.headers["location"]) == (303, "/plan")
    assert visitor.is_in()
    assert "nudgepay_code" not in visitor.client.cookies


def test_a_code_without_the_password_before_it_is_worth_nothing(guarded: Runtime) -> None:
    visitor = Visitor(guarded)
    for cookie in (None, "forged", "eyJlbWFpbCI6Im9sZ2EifQ.x.y"):
        if cookie is not None:
            visitor.client.cookies.set("nudgepay_code", cookie, domain="testserver.local")
        assert visitor.post("/login", {"step": "code", "code": code_now()}, of="/login").status_code == 403
    visitor.client.cookies.delete("nudgepay_code")
    visitor.sign_in(step="password")
    with guarded.db.transaction() as session:
        session.execute(text("UPDATE operators SET password_hash = '!' WHERE email = :email"), {"email": EMAIL})
    late = visitor.post("/login", {"step": "code", "code": code_now()}, of="/login")
    assert (late.status_code, "Invalid credentials" in late.text) == (401, True)
    assert not visitor.is_in()


def test_a_signing_key_in_strange_hands_signs_nobody_in(guarded: Runtime) -> None:
    thief = Visitor(guarded)
    cookies, answer = Cookies.of(guarded.settings), Response()
    cookies.put_signed(answer, "session", {"operator": 1}, seconds=3600)
    cookies.put_signed(answer, "code", {"email": EMAIL, "seal": "f" * 64}, seconds=300)
    for _, value in [one for one in answer.raw_headers if one[0] == b"set-cookie"]:
        name, _, rest = value.decode().partition("=")
        thief.client.cookies.set(name, rest.partition(";")[0], domain="testserver.local")
    assert not thief.is_in()
    refused = thief.post("/login", {"step": "code", "code": code_now()}, of="/login")
    assert (refused.status_code, "Invalid credentials" in refused.text) == (401, True)
    assert not thief.is_in()


def test_a_recovery_code_lets_in_once_and_only_with_the_password(guarded: Runtime) -> None:
    with guarded.db.transaction() as session:
        code = recovery_codes.make_anew(session, operator_by_email(session, EMAIL).id, actor="test")[0]
    assert Visitor(guarded).sign_in(password="another password", code=code).status_code == 401
    assert Visitor(guarded).sign_in(code=code).status_code == 303
    assert Visitor(guarded).sign_in(code=code).status_code == 401


def test_login_rate_limited(house: Runtime) -> None:
    visitor = Visitor(house)
    refused = metrics.login_throttle_events.labels(event="refused_account")
    before = refused._value.get()
    answers = [visitor.sign_in(password=f"wrong password {n}") for n in range(5)]
    assert [one.status_code for one in answers] == [401] * 5
    for password in ("wrong again", PASSWORD):
        answer = visitor.sign_in(password=password)
        assert answer.status_code == 429
        assert "Too many attempts" in answer.text
        assert "15 minutes" in answer.text
        assert 890 <= int(answer.headers["retry-after"]) <= 900
    assert refused._value.get() == before + 2
    restarted = build_runtime(house.settings)
    assert Visitor(restarted).sign_in().status_code == 429
    assert Visitor(restarted).sign_in(email=BOSS).status_code == 303
    _retried(house, secs=901)
    assert Visitor(restarted).sign_in().status_code == 303
    restarted.close()
    with house.db.transaction() as session:
        counted = session.execute(
            text("SELECT action, count(*) FROM audit_events WHERE actor = 'visitor' GROUP BY action")
        ).all()
        assert {tuple(one) for one in counted} == {("sign_in.try", 7), ("sign_in.fail", 5), ("sign_in.refuse", 3)}
        written = session.scalar(text("SELECT string_agg(a::text, ' ') FROM audit_events a"))
        assert "wrong" not in written


def test_a_wrong_code_counts_in_the_same_budget_as_a_wrong_password(guarded: Runtime) -> None:
    visitor = Visitor(guarded)
    answers = [visitor.sign_in(code="000000").status_code for _ in range(3)]
    answers += [visitor.sign_in(password="wrong password").status_code for _ in range(2)]
    answers += [visitor.sign_in(code=code_now()).status_code]
    assert answers == [401] * 5 + [429]


def test_a_blocked_try_is_not_compared_and_a_known_device_is_let_in_all_the_same(
    behind_proxy: Runtime, monkeypatch: pytest.MonkeyPatch, figures: Callable[..., None]
) -> None:
    compared = 0

    class Counting(Argon2Hasher):
        def verify(self, password: str | bytes, hash: str | bytes) -> bool:
            nonlocal compared
            compared += 1
            return super().verify(password, hash)

    owner = Visitor(behind_proxy, address="198.51.100.7")
    assert owner.sign_in().status_code == 303
    assert owner.post("/logout", {}).status_code == 303
    monkeypatch.setattr(passwords, "HASHER", Counting(time_cost=1, memory_cost=64, parallelism=1))
    attacker = Visitor(behind_proxy)
    statuses = []
    for number in range(200):
        attacker.headers["x-forwarded-for"] = f"203.0.{number}.9"
        statuses.append(attacker.sign_in(password="wrong password").status_code)
    figures("guesses over HTTP from 200 addresses", n=200, compared=compared, refused=statuses.count(429))
    assert (compared, statuses.count(401), statuses.count(429)) == (5, 5, 195)
    assert Visitor(behind_proxy, address="198.51.100.7").sign_in().status_code == 429
    assert owner.sign_in().status_code == 303
    assert owner.is_in()


def test_a_forwarded_address_counts_only_from_a_trusted_proxy(house: Runtime) -> None:
    attacker = Visitor(house)
    statuses = []
    for number in range(25):
        attacker.headers["x-forwarded-for"] = f"203.0.{number}.9"
        statuses.append(attacker.sign_in(email=f"{number}@desk.example").status_code)
    assert statuses == [401] * 20 + [429] * 5


def test_permission_enforcement_refreshes_session(house: Runtime) -> None:
    visitor = Visitor(house)
    visitor.sign_in()
    cookie = visitor.client.cookies["nudgepay_session"]
    other = build_runtime(house.settings)
    token = visitor.token("/account")

    def seen() -> tuple[str, int]:
        """The role, and whether pages of superadmins are shown, each by another process."""
        asked = visitor.client.post("/session/refresh", headers={"X-CSRF-Token": token}).json()
        assert asked["permissions"] == sorted(PERMISSIONS[Role(asked["role"])])
        fellow = Visitor(other)
        fellow.client.cookies.set("nudgepay_session", cookie)
        return asked["role"], fellow.get("/operators/1/sessions").status_code

    assert seen() == ("viewer", 403)
    for role, status in ((Role.OPERATOR, 403), (Role.SUPERADMIN, 200), (Role.VIEWER, 403)):
        with house.db.transaction() as session:
            change_role(session, operator_by_email(session, EMAIL), role, actor="test")
        assert seen() == (role, status)
    with house.db.transaction() as session:
        disable_operator(session, operator_by_email(session, EMAIL), actor="test")
    assert visitor.client.post("/session/refresh", headers={"X-CSRF-Token": token}).status_code == 401
    other.close()


def test_more_power_asks_for_a_new_proof_before_what_is_sensitive(house: Runtime) -> None:
    visitor = Visitor(house)
    visitor.sign_in()
    assert visitor.get("/account/password").status_code == 200
    with house.db.transaction() as session:
        change_role(session, operator_by_email(session, EMAIL), Role.MANAGER, actor="test")
    assert visitor.get("/account/password").headers["location"] == "/account/prove?next=/account/password"


def test_signing_in_gives_a_new_id_and_ends_what_was_here_before(house: Runtime) -> None:
    visitor = Visitor(house)
    visitor.client.cookies.set("nudgepay_session", "planted", domain="testserver.local")
    visitor.sign_in()
    first = visitor.client.cookies["nudgepay_session"]
    assert first != "planted"
    assert visitor.client.cookies["nudgepay_device"] not in first
    thief = Visitor(house)
    thief.client.cookies.set("nudgepay_session", first)
    assert thief.is_in()
    visitor.client.cookies.delete("nudgepay_session")
    login = visitor.token()
    visitor.client.cookies.set("nudgepay_session", first, domain="testserver.local")
    fields = {"_csrf_token": login, "email": BOSS, "password": PASSWORD}
    assert visitor.client.post("/login", data=fields).status_code == 303
    assert not thief.is_in()


def test_a_form_of_another_site_session_or_kind_signs_nobody_in_or_out(house: Runtime) -> None:
    visitor, other = Visitor(house), Visitor(house)
    token = visitor.token()
    fields = {"_csrf_token": token, "email": EMAIL, "password": PASSWORD}
    for refused in (
        visitor.client.post("/login", data={**fields, "_csrf_token": ""}),
        visitor.client.post("/login", data=fields, headers={"sec-fetch-site": "cross-site"}),
        visitor.client.post("/login", content=str(fields), headers={"content-type": "text/plain"}),
        visitor.client.post("/login", json=fields),
        other.client.post("/login", data=fields),
    ):
        assert refused.status_code == 403
    with house.db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM sign_in_limits")) == 0
    other.sign_in(email=BOSS)
    visitor.sign_in()
    stolen = other.token("/account")
    assert visitor.client.post("/logout", data={"_csrf_token": stolen}).status_code == 403
    assert visitor.is_in()


@pytest.mark.parametrize("password", ["x" * 1025, "ä" * 700])
def test_a_password_of_more_than_a_kilobyte_is_refused_before_anything_is_counted(
    house: Runtime, password: str
) -> None:
    assert Visitor(house).sign_in(password=password).status_code == 422
    with house.db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM sign_in_limits")) == 0


def test_a_hash_of_the_settings_is_replaced_when_its_password_is_known(house: Runtime) -> None:
    with house.db.transaction() as session:
        operator_by_email(session, EMAIL).password_hash = passwords.hash_for_settings(PASSWORD)
    assert Visitor(house).sign_in(password="wrong password").status_code == 401
    assert Visitor(house).sign_in().status_code == 303
    with house.db.transaction() as session:
        assert operator_by_email(session, EMAIL).password_hash.startswith("$argon2id$")
    assert Visitor(house).sign_in().status_code == 303


def test_where_everybody_must_have_a_second_factor_nothing_else_can_be_done_without(guarded: Runtime) -> None:
    strict = build_runtime(guarded.settings.model_copy(update={"second_factor": "required"}))
    visitor = Visitor(strict)
    assert visitor.sign_in(email=BOSS).status_code == 303
    for path in ("/", "/account", "/account/password", "/operators/1/sessions", "/invoices"):
        assert visitor.get(path).headers["location"] == "/account/second-factor"
        asked = visitor.client.get(path, headers={"accept": "application/json"})
        assert (asked.status_code, asked.json()["code"]) == (403, "second_factor_needed")
    assert visitor.get("/account/second-factor").status_code == 200
    assert Visitor(strict).sign_in(code=code_now()).headers["location"] == "/"
    strict.close()


def test_who_must_have_a_second_factor_is_a_matter_of_where(house: Runtime) -> None:
    for environment, second_factor, is_required in (
        ("test", None, False),
        ("development", None, False),
        ("staging", None, True),
        ("production", None, True),
        ("production", "optional", False),
        ("test", "required", True),
    ):
        update = {"environment": environment, "second_factor": second_factor}
        assert house.settings.model_copy(update=update).requires_second_factor is is_required
