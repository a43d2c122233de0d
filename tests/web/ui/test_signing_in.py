"""In and out: who gets a session, what a form must carry, what a role may do."""

import re

import pytest
from starlette.testclient import TestClient

from nudgepay.access.operators import change_role, disable_operator, operator_by_email
from nudgepay.access.permissions import PERMISSIONS, Permission, Role
from nudgepay.runtime import Runtime
from nudgepay.web.ui.next_page import own_path
from web.ui.desk import Desk, signed_in_as
from web.ui.door import EMAIL, PASSWORD, people

pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture
def olga(runtime: Runtime, quick_hashes: None) -> None:
    people(runtime)


def _sign_in(client: TestClient, email: str = EMAIL, password: str = PASSWORD, **more: str):  # type: ignore[no-untyped-def]
    token = re.search(r'name="_csrf_token" value="(\w+)"', client.get("/login").text)[1]  # type: ignore[index]
    return client.post("/login", data={"_csrf_token": token, "email": email, "password": password, **more})


@pytest.mark.usefixtures("olga")
def test_the_right_password_starts_a_session_and_goes_where_one_wanted_to_go(client: TestClient) -> None:
    sent_away = client.get("/account?a=b", headers={"accept": "text/html"})
    assert (sent_away.status_code, sent_away.headers["location"]) == (303, "/login?next=/account%3Fa%3Db")
    answer = _sign_in(client, email="  Olga@Desk.Example ", next="/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert EMAIL in client.get("/account").text


@pytest.mark.usefixtures("olga")
@pytest.mark.parametrize(
    ("email", "password"),
    [(EMAIL, "another password"), ("nobody@desk.example", PASSWORD), (EMAIL, PASSWORD + "x" * 70), (EMAIL, "a\x00b")],
)
def test_wrong_credentials_get_one_answer_whatever_was_wrong(client: TestClient, email: str, password: str) -> None:
    answer = _sign_in(client, email=email, password=password)
    assert answer.status_code == 401
    assert "Invalid credentials" in answer.text
    assert password not in answer.text
    assert client.get("/account").status_code == 401


@pytest.mark.usefixtures("olga")
def test_a_sign_in_form_of_another_page_is_not_taken(client: TestClient) -> None:
    client.get("/login")
    fields = {"_csrf_token": "f" * 64, "email": EMAIL, "password": PASSWORD}
    assert client.post("/login", data=fields).status_code == 403
    assert client.get("/account").status_code == 401


@pytest.mark.usefixtures("olga")
def test_a_disabled_operator_is_out_at_the_next_request(client: TestClient, runtime: Runtime) -> None:
    _sign_in(client)
    assert client.get("/account").status_code == 200
    with runtime.db.transaction() as session:
        disable_operator(session, operator_by_email(session, EMAIL), actor="test")
    assert client.get("/account").status_code == 401
    assert _sign_in(client).status_code == 401


@pytest.mark.usefixtures("olga")
def test_a_new_role_counts_from_the_next_request_on(client: TestClient, runtime: Runtime) -> None:
    _sign_in(client)
    token = re.search(r'name="_csrf_token" value="(\w+)"', client.get("/account").text)[1]  # type: ignore[index]
    asked = {"X-CSRF-Token": token}
    assert client.post("/session/refresh", headers=asked).json()["role"] == "viewer"
    with runtime.db.transaction() as session:
        change_role(session, operator_by_email(session, EMAIL), Role.MANAGER, actor="test")
    refreshed = client.post("/session/refresh", headers=asked).json()
    assert refreshed == {"role": "manager", "permissions": sorted(PERMISSIONS[Role.MANAGER])}


def test_a_form_without_its_token_or_from_another_site_changes_nothing(desk: Desk) -> None:
    for data, headers in (
        ({}, {}),
        ({"_csrf_token": "0" * 64}, {}),
        ({"_csrf_token": desk.csrf_token}, {"Sec-Fetch-Site": "cross-site"}),
    ):
        answer = desk.client.post("/account", data={"theme": "dark", **data}, headers=headers)
        assert answer.status_code == 403
    assert 'data-theme="dark"' not in desk.get("/account").text
    assert 'data-theme="dark"' in desk.told(desk.post("/account", {"theme": "dark"}))


def test_signing_out_ends_the_session_itself(desk: Desk) -> None:
    stolen = desk.client.cookies["nudgepay_session"]
    assert desk.post("/logout").headers["location"] == "/login"
    desk.client.cookies.set("nudgepay_session", stolen)
    assert desk.client.get("/account").status_code == 401


def test_a_session_dies_of_idleness_and_of_age(client: TestClient, runtime: Runtime) -> None:
    for column in ("seen_at", "ends_at"):
        client.cookies.set("nudgepay_session", signed_in_as(runtime))
        assert client.get("/account").status_code == 200
        with runtime.db.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE sessions SET {column} = now() - interval '31 minutes'")
        assert client.get("/account").status_code == 401


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "///evil.example",
        "https://evil.example",
        "https:evil.example",
        "/\\evil.example",
        "\\\\evil",
        "%2f%2fevil.example",
        "/%2f%2fevil.example/..",
        "/%2fevil.example",
        "/%5cevil.example",
        "javascript:alert(1)",
        "/a\nb",
        "/a%0d%0aSet-Cookie:x=y",
        "/\tevil.example",
        " /account",
        "account",
        "",
        "/" + "a" * 2000,
    ],
)
def test_nobody_is_sent_to_another_site_after_signing_in(elsewhere: str) -> None:
    assert own_path(elsewhere) == "/"
    assert own_path("/invoices?q=a%26b&sort=-due") == "/invoices?q=a%26b&sort=-due"


def test_the_auditor_reads_everything_and_changes_nothing() -> None:
    reads = {one for one in Permission if one.endswith(":read")} | {Permission.BOOKS_EXPORT}
    assert PERMISSIONS[Role.AUDITOR] == reads | {Permission.ACCOUNT_WRITE}
    assert PERMISSIONS[Role.VIEWER] < PERMISSIONS[Role.OPERATOR] < PERMISSIONS[Role.MANAGER]
    assert PERMISSIONS[Role.MANAGER] < PERMISSIONS[Role.SUPERADMIN] == frozenset(Permission)


def test_pages_speak_the_language_that_one_chose(desk: Desk) -> None:
    assert '<html lang="en"' in desk.get("/account").text
    assert '<html lang="de"' in desk.told(desk.post("/account", {"locale": "de"}))
