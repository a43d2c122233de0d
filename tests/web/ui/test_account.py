"""One's own account: password, second factor, recovery codes, and where one is signed in."""

import re
import threading
from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import APIRouter
from sqlalchemy import text
from starlette.responses import PlainTextResponse, Response

from nudgepay.access.operators import disable_operator, operator_by_email
from nudgepay.access.permissions import Permission
from nudgepay.access.sessions import MOST, start_session
from nudgepay.runtime import Runtime, build_runtime
from nudgepay.web.ui.devices import device_words
from nudgepay.web.ui.page import NotAllowed, Page, allowed
from nudgepay.web.ui.streaming import while_allowed
from web.ui.desk import Desk
from web.ui.door import BOSS, EMAIL, PASSWORD, Visitor, code_now, people

pytestmark = pytest.mark.usefixtures("quick_hashes")
ANOTHER = "four unrelated green words"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def house(runtime: Runtime, quick_hashes: None) -> Runtime:
    people(runtime)
    return runtime


@pytest.fixture
def olga(house: Runtime) -> Visitor:
    visitor = Visitor(house)
    visitor.headers["user-agent"] = FIREFOX
    assert visitor.sign_in().status_code == 303
    return visitor


def test_a_new_password_takes_the_old_one_and_signs_one_out_everywhere_else(house: Runtime, olga: Visitor) -> None:
    elsewhere = Visitor(house)
    elsewhere.sign_in()
    before = olga.client.cookies["nudgepay_session"]
    fields = {"old": PASSWORD, "new": ANOTHER, "again": ANOTHER}
    for change, field in (
        ({"old": "not the old one"}, "That is not your password."),
        ({"new": "password1234", "again": "password1234"}, "Many people have this password."),
        ({"new": "olga-desk-2026", "again": "olga-desk-2026"}, "It is made of your address"),
        ({"new": "short", "again": "short"}, "at least 12 characters"),
        ({"again": ANOTHER + "x"}, "The two are not the same"),
        ({"new": PASSWORD, "again": PASSWORD}, "This is the one that you have."),
    ):
        refused = olga.post("/account/password", {**fields, **change}, of="/account/password")
        assert (refused.status_code, field in refused.text) == (422, True), change
        assert ANOTHER not in refused.text
    assert elsewhere.is_in()
    assert olga.post("/account/password", fields, of="/account/password").status_code == 303
    assert olga.is_in()
    assert olga.client.cookies["nudgepay_session"] != before
    assert not elsewhere.is_in()
    assert Visitor(house).sign_in().status_code == 401
    assert olga.post("/logout", {}).status_code == 303
    assert olga.sign_in(password=ANOTHER).status_code == 303


def test_guessing_the_old_password_is_counted_like_any_guess(house: Runtime, olga: Visitor) -> None:
    fields = {"old": "not the old one", "new": ANOTHER, "again": ANOTHER}
    answers = [olga.post("/account/password", fields, of="/account/password").status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]
    assert olga.post("/account/prove", {"password": PASSWORD}, of="/account/prove").status_code == 429


def _enrolled(olga: Visitor) -> tuple[str, list[str]]:
    """Set up as a person does it; the secret and the recovery codes."""
    shown = olga.get("/account/second-factor").text
    secret = re.search(r'id="secret">([A-Z2-7 ]+)<', shown)
    assert secret is not None
    assert olga.get("/account/second-factor").text.count(secret[1]) == 1
    plain = secret[1].replace(" ", "")
    wrong = olga.post("/account/second-factor", {"code": "000000"}, of="/account/second-factor")
    assert (wrong.status_code, secret[1] in wrong.text) == (422, True)
    done = olga.post("/account/second-factor", {"code": code_now(secret=plain)}, of="/account/second-factor")
    assert done.status_code == 200
    return plain, re.findall(r"<li>((?:\w{4}-){3}\w{4})</li>", done.text)


def test_a_second_factor_is_set_up_used_and_turned_off(house: Runtime, olga: Visitor) -> None:
    elsewhere = Visitor(house)
    elsewhere.sign_in()
    stolen = olga.client.cookies["nudgepay_session"]
    secret, codes = _enrolled(olga)
    assert (len(codes), olga.is_in(), elsewhere.is_in()) == (10, True, False)
    assert olga.client.cookies["nudgepay_session"] != stolen
    assert "nudgepay_enrol" not in olga.client.cookies
    assert "10 left" in olga.get("/account").text
    assert Visitor(house).sign_in(code=code_now(secret=secret)).status_code == 401, "the first code is used up"
    assert Visitor(house).sign_in(code=codes[0]).status_code == 303
    assert "9 left" in olga.get("/account").text
    anew = olga.post("/account/recovery-codes", {}, of="/account/recovery-codes")
    fresh = re.findall(r"<li>((?:\w{4}-){3}\w{4})</li>", anew.text)
    assert Visitor(house).sign_in(code=codes[1]).status_code == 401
    assert Visitor(house).sign_in(code=fresh[1]).status_code == 303
    proof = {"password": PASSWORD, "code": code_now(secret=secret, steps=1), "next": "/account"}
    assert olga.post("/account/prove", {**proof, "code": ""}, of="/account/prove").status_code == 401
    assert olga.post("/account/prove", proof, of="/account/prove").status_code == 303
    assert olga.post("/account/second-factor/remove", {}, of="/account").status_code == 303
    assert Visitor(house).sign_in().status_code == 303


def test_where_everybody_must_have_one_it_cannot_be_turned_off(house: Runtime, olga: Visitor) -> None:
    _enrolled(olga)
    strict = build_runtime(house.settings.model_copy(update={"second_factor": "required"}))
    same = Visitor(strict)
    same.client.cookies.update(olga.client.cookies)
    assert same.post("/account/second-factor/remove", {}).status_code == 403
    assert "Turn off" not in same.get("/account").text
    strict.close()


def test_what_is_sensitive_about_oneself_takes_a_fresh_proof(house: Runtime, olga: Visitor) -> None:
    with house.db.transaction() as session:
        session.execute(text("UPDATE sessions SET proven_at = now() - interval '11 minutes'"))
    for path in (
        "/account/password",
        "/account/second-factor",
        "/account/second-factor/remove",
        "/account/recovery-codes",
    ):
        assert olga.get(path).headers["location"] == f"/account/prove?next={path}"
        assert olga.post(path, {}).headers["location"] == f"/account/prove?next={path}"
    assert "nudgepay_enrol" not in olga.client.cookies


def test_sessions_are_listed_and_ended_one_by_one_and_all(house: Runtime, olga: Visitor) -> None:
    others = [Visitor(house, address="") for _ in range(3)]
    for one in others:
        one.sign_in()
    page = olga.get("/account").text
    assert page.count("Firefox on Linux") >= 1
    assert page.count("An unknown device") >= 3
    own = re.findall(r"/account/sessions/(\d+)/end", page)
    assert len(own) == 3
    assert olga.post(f"/account/sessions/{own[0]}/end", {}).status_code == 303
    assert [one.is_in() for one in others] == [True, True, False]
    assert olga.post("/account/sessions/end-others", {}).status_code == 303
    assert [one.is_in() for one in others] == [False] * 3
    assert olga.is_in()


def test_nobody_ends_sessions_of_others_but_who_may_change_operators(house: Runtime, olga: Visitor) -> None:
    boss = Visitor(house)
    boss.sign_in(email=BOSS)
    with house.db.transaction() as session:
        theirs, olgas = (
            session.scalar(
                text("SELECT s.id FROM sessions s JOIN operators o ON o.id = operator_id WHERE email = :e"), {"e": e}
            )
            for e in (BOSS, EMAIL)
        )
        operator_id = operator_by_email(session, EMAIL).id
    assert olga.post(f"/account/sessions/{theirs}/end", {}).status_code == 303
    assert olga.post(f"/account/sessions/{1 << 70}/end", {}).status_code == 303
    assert boss.is_in()
    assert olga.post(f"/operators/{operator_id}/sessions/{theirs}/end", {}).status_code == 403
    assert boss.get("/operators/999/sessions").status_code == 404
    path = f"/operators/{operator_id}/sessions"
    assert "Firefox on Linux" in boss.get(path).text
    assert boss.post(f"{path}/{theirs}/end", {}).status_code == 303
    assert boss.is_in()
    assert boss.post(f"{path}/{olgas}/end", {}, of=path).status_code == 303
    assert not olga.is_in()


def test_the_oldest_session_ends_when_there_are_too_many(house: Runtime, olga: Visitor) -> None:
    with house.db.transaction() as session:
        operator_id = operator_by_email(session, EMAIL).id
        for _ in range(MOST - 1):
            start_session(session, operator_id, hours=1)
    assert olga.is_in()
    with house.db.transaction() as session:
        start_session(session, operator_id, hours=1)
        assert session.scalar(text("SELECT count(*) FROM sessions")) == MOST
    assert not olga.is_in()


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/140.0 Safari/537.36", "Chrome on macOS"),
        ("curl/8.5", "curl"),
        ("<script>alert(1)</script>", "An unknown device"),
        ("", "An unknown device"),
        (None, "An unknown device"),
    ],
)
def test_a_device_is_told_in_words_of_ours_alone(desk: Desk, user_agent: str | None, words: str) -> None:
    class Speaking:
        def gettext(self, sentence: str) -> str:
            return sentence

    assert device_words(Speaking(), user_agent) == words  # type: ignore[arg-type]


router = APIRouter()
asked: list[Page] = []


@router.get("/asked")
def ask(page: Annotated[Page, allowed(Permission.TODAY_READ)]) -> Response:
    asked.append(page)
    return PlainTextResponse("")


def test_a_stream_breaks_off_when_who_asked_for_it_may_see_it_no_more(house: Runtime, olga: Visitor) -> None:
    olga.client.app.app.include_router(router)  # type: ignore[attr-defined]
    assert olga.get("/asked").status_code == 200

    def slow() -> Iterator[bytes]:
        for _ in range(5):
            threading.Event().wait(1.01)
            yield b"row"

    stream = while_allowed(asked.pop(), Permission.TODAY_READ, slow())
    assert next(stream) == b"row"
    with house.db.transaction() as session:
        disable_operator(session, operator_by_email(session, EMAIL), actor="test")
    with pytest.raises(NotAllowed):
        next(stream)
