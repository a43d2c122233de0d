"""Who works here: invited with a link that works once, given roles by others, and never changed by themselves."""

import re

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from nudgepay.access.permissions import PERMISSIONS, Permission, Role
from nudgepay.runtime import Runtime
from nudgepay.web.ui.role_words import GROUPS, ROLES
from web.ui.desk import Desk

pytestmark = pytest.mark.usefixtures("quick_hashes")
PASSWORD = "a wholly unlikely set of words 7"


def beside(desk: Desk, role: Role, email: str) -> Desk:
    """Another person at the same application."""
    return Desk(TestClient(desk.client.app, follow_redirects=False), desk.runtime, role, email=email)


def number_of(runtime: Runtime, email: str) -> int:
    with runtime.db.transaction() as session:
        return session.scalar(text("SELECT id FROM operators WHERE email = :email"), {"email": email}) or 0


def roles(runtime: Runtime) -> dict[str, str]:
    with runtime.db.transaction() as session:
        rows = session.execute(
            text("SELECT email, role || CASE WHEN disabled_at IS NULL THEN '' ELSE ' out' END FROM operators")
        )
        return {row[0].partition("@")[0]: row[1] for row in rows}


def refused(runtime: Runtime) -> list[tuple[str, str, str]]:
    query = "SELECT actor, subject, after ->> 'why' FROM audit_events WHERE action = 'access.refused' ORDER BY id"
    with runtime.db.transaction() as session:
        return [tuple(row) for row in session.execute(text(query))]


def link_of(page: str) -> str:
    return re.search(r'value="http://testserver(/join/[^"]+)"', page)[1]  # type: ignore[index]


def test_an_invitation_lets_one_person_choose_one_password_once(desk: Desk, client: TestClient) -> None:
    page = desk.post("/operators/new", {"email": "Mia@Desk.example", "role": "manager"}).text
    path = link_of(page)
    token = path.rpartition("/")[2]
    with desk.runtime.db.transaction() as session:
        for table in ("invitations", "operators", "audit_events"):
            assert token[:12] not in repr(session.execute(text(f"SELECT t::text FROM {table} t")).all())
    for _ in range(2):
        assert "mia@desk.example" in client.get(path).text
    assert client.post(path, data={"password": PASSWORD, "again": PASSWORD + "x"}).status_code == 422
    assert client.post(path, data={"password": "short", "again": "short"}).status_code == 422
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert client.post(path, data={"password": PASSWORD, "again": PASSWORD}, headers=cross).status_code == 403
    done = client.post(path, data={"password": PASSWORD, "again": PASSWORD})
    assert (done.status_code, done.headers.get("location")) == (303, "/login"), done.text
    again = client.post(path, data={"password": PASSWORD + "!", "again": PASSWORD + "!"})
    assert (again.status_code, client.get(path).status_code) == (404, 404)
    csrf = re.search(r'name="_csrf_token" value="(\w+)"', client.get("/login").text)[1]  # type: ignore[index]
    fields = {"_csrf_token": csrf, "email": "mia@desk.example", "password": PASSWORD}
    assert client.post("/login", data=fields).status_code == 303


def test_a_link_dies_of_age_of_a_newer_one_and_with_its_operator(desk: Desk, client: TestClient) -> None:
    first = link_of(desk.post("/operators/new", {"email": "mia@desk.example", "role": "viewer"}).text)
    mia = number_of(desk.runtime, "mia@desk.example")
    second = link_of(desk.post(f"/operators/{mia}/invite").text)
    assert (client.get(first).status_code, client.get(second).status_code) == (404, 200)
    desk.post(f"/operators/{mia}/disable")
    desk.post(f"/operators/{mia}/enable")
    assert client.get(second).status_code == 404
    third = link_of(desk.post(f"/operators/{mia}/invite").text)
    with desk.runtime.db.transaction() as session:
        session.execute(text("UPDATE invitations SET expires_at = now()"))
    assert client.get(third).status_code == 404
    unknown = client.get("/join/" + "x" * 43)
    assert unknown.json().keys() == client.get(third).json().keys()


def test_guessing_links_is_slow(client: TestClient) -> None:
    answers = [client.get(f"/join/{'x' * 40}{number}").status_code for number in range(32)]
    assert (answers[0], answers[29], answers[31]) == (404, 404, 429)


def test_nobody_is_invited_twice_or_as_a_superadmin_or_without_an_address(desk: Desk) -> None:
    for fields, status in (
        ({"email": "olga@desk.example", "role": "viewer"}, 409),
        ({"email": "a,b@c.example x", "role": "viewer"}, 422),
        ({"email": "new@desk.example", "role": "superadmin"}, 422),
        ({"email": "new@desk.example", "role": ""}, 422),
    ):
        assert desk.post("/operators/new", fields).status_code == status
    assert roles(desk.runtime) == {"olga": "superadmin"}


def test_roles_and_access_are_changed_by_others_and_can_be_taken_back(desk: Desk) -> None:
    mia = beside(desk, Role.VIEWER, "mia@desk.example")
    path = f"/operators/{number_of(desk.runtime, 'mia@desk.example')}"
    page = desk.told(desk.post(f"{path}/role", {"role": "manager"}))
    assert "mia@desk.example is Manager now." in page
    assert f'action="{path}/role"' in page
    assert mia.get("/operators").status_code == 200
    desk.post(f"{path}/role", {"role": "viewer"})
    assert mia.get("/operators").status_code == 403
    desk.post(f"{path}/sessions/end")
    assert mia.client.get("/account").status_code == 401
    mia = beside(desk, Role.VIEWER, "mia@desk.example")
    assert mia.client.get("/account").status_code == 200
    desk.post(f"{path}/disable")
    assert mia.client.get("/account").status_code == 401
    assert roles(desk.runtime)["mia"] == "viewer out"
    assert "may sign in again" in desk.told(desk.post(f"{path}/enable"))


def test_an_operator_who_grants_themselves_more_is_refused_and_it_is_written_down(desk: Desk) -> None:
    for role in (Role.OPERATOR, Role.MANAGER, Role.AUDITOR):
        otto = beside(desk, role, "otto@desk.example")
        path = f"/operators/{number_of(desk.runtime, 'otto@desk.example')}"
        for what, fields in (("role", {"role": "superadmin"}), ("enable", {}), ("invite", {})):
            assert otto.post(f"{path}/{what}", fields).status_code == 403
        assert otto.post("/operators/new", {"email": "friend@desk.example", "role": "manager"}).status_code == 403
    assert roles(desk.runtime) == {"olga": "superadmin", "otto": "auditor"}
    assert len(refused(desk.runtime)) == 12
    assert refused(desk.runtime)[0][1:] == ("routes:/operators/{operator_id}/role", "NotAllowed")


def test_the_last_superadmin_stays_and_nobody_changes_themselves(desk: Desk) -> None:
    own = f"/operators/{number_of(desk.runtime, 'olga@desk.example')}"
    for what, fields in (("role", {"role": "viewer"}), ("disable", {})):
        assert desk.post(f"{own}/{what}", fields).status_code == 409
    beside(desk, Role.SUPERADMIN, "bo@desk.example")
    for what, fields in (("role", {"role": "viewer"}), ("disable", {}), ("invite", {}), ("sessions/end", {})):
        assert desk.post(f"{own}/{what}", fields).status_code == 403
    assert roles(desk.runtime) == {"olga": "superadmin", "bo": "superadmin"}
    whys = [why for _, _, why in refused(desk.runtime)]
    assert whys == ["LastSuperadmin", "LastSuperadmin", *["OwnPower"] * 4]


def test_what_else_a_form_says_changes_nothing_else(desk: Desk) -> None:
    mia = beside(desk, Role.VIEWER, "mia@desk.example")
    number = number_of(desk.runtime, "mia@desk.example")
    more = {
        "id": "1",
        "operator_id": "1",
        "email": "evil@desk.example",
        "password_hash": "x",
        "disabled_at": "",
        "created_by": "nobody",
        "alone": "true",
        "state": "approved",
        "decided_by": "1",
        "status": "paid",
        "version": "99",
    }
    assert desk.post(f"/operators/{number}/role", {"role": "manager", **more}).status_code == 303
    assert mia.post("/account", {"theme": "dark", "role": "superadmin", **more}).status_code == 303
    desk.post("/operators/new", {"role": "viewer", **more, "disabled_at": "2020-01-01", "is_admin": "1"})
    desk.post(
        "/tokens/new",
        {"name": "n", "scope": "books:export", "days": "7", "expires_at": "2099-01-01", "prefix": "mine", **more},
    )
    assert roles(desk.runtime) == {"olga": "superadmin", "mia": "manager", "evil": "viewer"}
    with desk.runtime.db.transaction() as session:
        row = session.execute(text("SELECT prefix, expires_at - created_at, created_by FROM service_tokens")).one()
        assert (row[0] != "mine", row[1].days, row[2]) == (True, 7, number_of(desk.runtime, "olga@desk.example"))
        asked = {"reason": "moving house", "operator": "1", **more}
    answer = desk.post(f"/operators/{number}/role", {"role": "superadmin", **asked})
    assert answer.headers["location"].startswith("/approvals/")
    with desk.runtime.db.transaction() as session:
        row = session.execute(text("SELECT state, params, alone, decided_by FROM approvals")).one()
        assert tuple(row) == ("waiting", {"operator": number}, True, None)


def test_the_list_says_who_was_seen_when_and_the_matrix_names_every_permission(desk: Desk) -> None:
    beside(desk, Role.AUDITOR, "ida@desk.example")
    page = desk.get("/operators").text
    assert page.count("<tr>") == 3
    assert "(you)" in page
    matrix = desk.get("/operators/roles").text
    named = [permission for _, permissions in GROUPS for permission in permissions]
    assert sorted(named) == sorted(Permission)
    assert ROLES.keys() == set(Role)
    held = matrix.count(">yes<")
    assert held == sum(len(found) for found in PERMISSIONS.values())
    ida = beside(desk, Role.AUDITOR, "ida@desk.example")
    assert "/operators/new" not in ida.get("/operators").text
    assert ida.get("/operators/new").status_code == 403


def test_somebody_s_own_words_are_only_text(desk: Desk) -> None:
    desk.post("/operators/new", {"email": '"<script>alert(1)</script>"@desk.example', "role": "viewer"})
    for path in (
        "/operators",
        f"/operators/{number_of(desk.runtime, chr(34) + '<script>alert(1)</script>' + chr(34) + '@desk.example')}",
    ):
        assert "<script>alert" not in desk.get(path).text
