"""What is sensitive takes a fresh proof of who one is; giving it changes the session's id."""

from typing import Annotated

import pytest
from fastapi import APIRouter
from sqlalchemy import text
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from nudgepay.access.operators import add_operator
from nudgepay.access.permissions import Permission, Role
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from nudgepay.web.ui.page import Page, allowed
from web.ui.desk import Desk

EMAIL, PASSWORD = "olga@desk.example", "a long enough password"
router = APIRouter()
Sensitive = Annotated[Page, allowed(Permission.OPERATOR_WRITE, fresh=True)]


@router.get("/treasure")
@router.post("/treasure/{name}/open")
def treasure(page: Sensitive) -> Response:
    return PlainTextResponse(f"gold for {page.signed.email}")


@pytest.fixture
def guarded(runtime: Runtime, quick_hashes: None) -> Desk:
    with runtime.db.transaction() as session:
        add_operator(session, email=EMAIL, password=PASSWORD, role=Role.SUPERADMIN, actor="test")
    app = create_app(runtime)
    app.app.include_router(router)
    return Desk(TestClient(app, follow_redirects=False), runtime, email=EMAIL)


def _age(runtime: Runtime, minutes: float) -> None:
    with runtime.db.transaction() as session:
        session.execute(
            text("UPDATE sessions SET proven_at = now() - make_interval(secs => :s)"), {"s": minutes * 60}
        )


def test_a_proof_is_asked_for_when_the_last_one_is_old_and_one_goes_on(guarded: Desk) -> None:
    assert guarded.get("/treasure").text == f"gold for {EMAIL}"
    _age(guarded.runtime, 9.9)
    assert guarded.get("/treasure").status_code == 200
    _age(guarded.runtime, 10.1)
    sent = guarded.get("/treasure?a=b")
    assert (sent.status_code, sent.headers["location"]) == (303, "/account/prove?next=/treasure%3Fa%3Db")
    sent = guarded.post("/treasure/7/open")
    assert (sent.status_code, sent.headers["location"]) == (303, "/account/prove?next=/treasure")
    asked = guarded.client.post("/treasure/7/open", headers={"X-CSRF-Token": guarded.csrf_token})
    assert (asked.status_code, asked.json()["code"]) == (401, "proof_needed")
    swapped = guarded.client.get("/treasure", headers={"hx-request": "true"})
    assert swapped.headers["hx-redirect"] == "/account/prove?next=/treasure"
    assert guarded.get(sent.headers["location"]).text.count('value="/treasure"') == 1

    wrong = guarded.post("/account/prove", {"password": PASSWORD + "x", "next": "/treasure"})
    assert wrong.status_code == 401
    assert guarded.get("/treasure").status_code == 303
    proven = guarded.post("/account/prove", {"password": PASSWORD, "next": "/treasure?a=b"})
    assert (proven.status_code, proven.headers["location"]) == (303, "/treasure?a=b")
    assert guarded.get("/treasure").status_code == 200


def test_a_proof_ends_the_old_id_of_the_session(guarded: Desk) -> None:
    stolen = guarded.client.cookies["nudgepay_session"]
    assert guarded.post("/account/prove", {"password": PASSWORD, "next": "//evil.example"}).headers["location"] == "/"
    assert guarded.get("/account").status_code == 200
    assert guarded.client.cookies["nudgepay_session"] != stolen
    with TestClient(guarded.client.app, follow_redirects=False) as thief:
        thief.cookies.set("nudgepay_session", stolen)
        assert thief.get("/account").status_code == 401


def test_who_may_not_is_told_so_and_asked_for_nothing(guarded: Desk) -> None:
    viewer = Desk(
        TestClient(guarded.client.app, follow_redirects=False), guarded.runtime, Role.VIEWER, email="v@d.example"
    )
    _age(guarded.runtime, 60)
    assert viewer.get("/treasure").status_code == 403
