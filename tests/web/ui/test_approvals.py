"""Acts that take a second person, on the pages: asked, answered, done once by who asked."""

import io
import re
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from nudgepay import clock
from nudgepay.access import acts
from nudgepay.access.permissions import Role
from nudgepay.access.trust import NotCovered
from nudgepay.nudges.switch import is_paused, note_restored, resume_sending
from web.ui.books import add_client, add_invoice
from web.ui.desk import Desk
from web.ui.test_operators import beside, number_of, refused, roles

WHY = {"reason": "she takes over in December"}


def sql(desk: Desk, query: str, **values: Any) -> Any:
    with desk.runtime.db.transaction() as session:
        result = session.execute(text(query), values)
        return result.all() if result.returns_rows else None


def state(desk: Desk) -> list[str]:
    return [row[0] for row in sql(desk, "SELECT state FROM approvals ORDER BY id")]


def form_of(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the page's form with this action."""
    inside = re.search(rf'action="{re.escape(action)}">(.*?)</form>', page, re.DOTALL)
    assert inside is not None, action
    return {
        name: value for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', inside[1]) if name != "_csrf_token"
    }


def at_the_machine(desk: Desk) -> int:
    """The exit code of what `nudgepay sending resume` does."""
    try:
        with desk.runtime.db.transaction() as session:
            resume_sending(session, environment="test", actor="cli:test")
    except NotCovered as refusal:
        return refusal.exit_code
    return 0


def test_a_superadmin_is_made_by_two_people(desk: Desk) -> None:
    bo = beside(desk, Role.SUPERADMIN, "bo@desk.example")
    mia = beside(desk, Role.MANAGER, "mia@desk.example")
    path = f"/operators/{number_of(desk.runtime, 'mia@desk.example')}/role"
    asking = desk.post(path, {"role": "superadmin"})
    assert (asking.status_code, "takes a second person" in asking.text) == (409, True)
    assert form_of(asking.text, path) == {"role": "superadmin"}
    where = desk.post(path, {"role": "superadmin", **WHY}).headers["location"]
    for _ in range(2):
        assert desk.post(path, {"role": "superadmin", **WHY}).headers["location"] == where
    assert desk.post(f"{where}/approve").status_code == 403
    assert mia.post(f"{where}/approve").status_code == 403
    assert [why for _, _, why in refused(desk.runtime)][-2:] == ["SelfApproval", "MayNotApprove"]
    assert "she takes over in December" in bo.get("/approvals").text
    assert where in bo.get("/tasks").text
    assert "/approve" in bo.get(where).text
    bo.post(f"{where}/approve", {"reason": "fine"})
    assert bo.post(f"{where}/approve").status_code == 409
    page = desk.get(where).text
    assert roles(desk.runtime)["mia"] == "manager"
    assert bo.post(path, {"role": "superadmin"}).status_code == 409
    assert "is Superadmin now" in desk.told(desk.post(path, form_of(page, path)))
    assert roles(desk.runtime)["mia"] == "superadmin"
    desk.post(path, {"role": "manager"})
    assert desk.post(path, {"role": "superadmin"}).status_code == 409
    assert state(desk) == ["used"]


def test_a_no_takes_a_reason_and_is_told(desk: Desk) -> None:
    bo = beside(desk, Role.SUPERADMIN, "bo@desk.example")
    beside(desk, Role.VIEWER, "vi@desk.example")
    path = f"/operators/{number_of(desk.runtime, 'vi@desk.example')}/role"
    where = desk.post(path, {"role": "superadmin", **WHY}).headers["location"]
    assert bo.post(f"{where}/decline", {"reason": " "}).status_code == 422
    assert bo.post(f"{where}/decline", {"reason": "<b>not now</b>"}).status_code == 303
    assert "&lt;b&gt;not now&lt;/b&gt;" in desk.get(where).text
    assert (state(desk), roles(desk.runtime)["vi"]) == (["declined"], "viewer")
    again = desk.post(path, {"role": "superadmin", **WHY}).headers["location"]
    assert bo.post(f"{again}/withdraw").status_code == 409
    assert desk.post(f"{again}/withdraw").status_code == 303
    assert state(desk) == ["declined", "withdrawn"]
    assert sql(desk, "SELECT count(*) FROM notices WHERE kind = 'approval.waiting' AND resolved_at IS NULL") == [(0,)]


def test_everything_leaves_once_with_a_yes_and_for_its_asker_alone(lived: Desk) -> None:
    ida = beside(lived, Role.AUDITOR, "ida@desk.example")
    where = ida.post("/exports/everything", {"reason": "year end"}).headers["location"]
    lived.post(f"{where}/approve")
    assert lived.post("/exports/everything").status_code == 409
    taken = ida.post("/exports/everything")
    with zipfile.ZipFile(io.BytesIO(taken.content)) as archive:
        names = archive.namelist()
        assert {"clients.csv", "invoices.csv", "payments.csv", "letters.csv"} <= set(names)
        letters = [name for name in names if name.endswith(".eml")]
        assert len(letters) == sql(lived, "SELECT count(*) FROM letters")[0][0] > 5
        assert b"Message-ID" in archive.read(letters[0])
    assert ida.post("/exports/everything").status_code == 409
    assert sql(lived, "SELECT count(*) FROM audit_events WHERE action = 'export.everything'") == [(1,)]
    viewer = beside(lived, Role.VIEWER, "vi@desk.example")
    assert viewer.post("/exports/everything").status_code == 403


def test_who_is_alone_waits_and_proves_again_who_it_is(lived: Desk) -> None:
    where = lived.post("/exports/everything", {"reason": "moving to another accountant"}).headers["location"]
    page = lived.get(where).text
    assert "in 10 minutes" in page
    assert 'action="/exports/everything"' not in page
    assert lived.post("/exports/everything").status_code == 409
    sql(lived, "UPDATE approvals SET ready_at = now() - interval '1 second'")
    assert 'action="/exports/everything"' in lived.get(where).text
    sql(lived, "UPDATE sessions SET proven_at = now() - interval '1 hour'")
    assert lived.post("/exports/everything").headers["location"].startswith("/account/prove")
    sql(lived, "UPDATE sessions SET proven_at = now()")
    assert lived.post("/exports/everything").content[:2] == b"PK"
    assert "alone: nobody else could approve it" in lived.get(where).text
    assert state(lived) == ["used"]


def test_many_imported_invoices_are_released_by_two_and_exactly_those(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nudgepay.web.ui.amnesty.BULK_RELEASE", 3)
    assert acts.BULK_RELEASE == 100
    client = add_client(desk.runtime, "Oak")
    ids = [add_invoice(desk.runtime, client, f"A-{number}", amnesty=True) for number in range(5)]
    waiting = "SELECT count(*) FROM invoices WHERE amnesty_at IS NOT NULL"
    assert desk.post("/amnesty/release", {"invoice": ids[:3]}).status_code == 303
    assert sql(desk, waiting) == [(2,)]
    ids += [add_invoice(desk.runtime, client, f"B-{number}", amnesty=True) for number in range(3)]
    mia = beside(desk, Role.MANAGER, "mia@desk.example")
    everything = {"everything": "1", "through": str(ids[-1])}
    asking = mia.post("/amnesty/release", everything)
    assert (asking.status_code, sql(desk, waiting)) == (409, [(5,)])
    where = mia.post("/amnesty/release", {**form_of(asking.text, "/amnesty/release"), **WHY}).headers["location"]
    desk.post(f"{where}/approve")
    late = add_invoice(desk.runtime, client, "C-1", amnesty=True)
    assert mia.post("/amnesty/release", {"everything": "1", "through": str(late)}).status_code == 409
    fields = form_of(mia.get(where).text, "/amnesty/release")
    assert desk.post("/amnesty/release", fields).status_code == 303
    assert sql(desk, waiting) == [(6,)]
    assert "5 invoices are released" in mia.told(mia.post("/amnesty/release", fields))
    assert sql(desk, waiting) == [(1,)]
    assert sql(desk, "SELECT id FROM invoices WHERE amnesty_at IS NOT NULL") == [(late,)]


def test_a_restored_database_sends_when_two_have_looked(desk: Desk) -> None:
    mia = beside(desk, Role.MANAGER, "mia@desk.example")
    with desk.runtime.db.transaction() as session:
        at = datetime(2026, 11, 20, 3, tzinfo=UTC)
        note_restored(session, restored_at=at, environment="test", actor="cli:test")
    assert at_the_machine(desk) == 3
    assert mia.post("/operations/sending/resume").status_code == 409
    where = mia.post("/operations/sending/resume", {"reason": "the relay's log is compared"}).headers["location"]
    assert at_the_machine(desk) == 3
    with desk.runtime.db.transaction() as session:
        assert is_paused(session)
    desk.post(f"{where}/approve")
    assert "Sending is on." in mia.told(
        mia.post("/operations/sending/resume", form_of(mia.get(where).text, "/operations/sending/resume"))
    )
    assert sql(desk, "SELECT restored_at, paused_at FROM sending_switch") == [(None, None)]
    mia.post("/operations/sending/pause", {"reason": "lunch"})
    assert (
        mia.post(
            "/operations/sending/resume",
            {"seen": sql(desk, "SELECT changed_at FROM sending_switch")[0][0].isoformat()},
        ).status_code
        == 303
    )


def test_the_command_line_resumes_what_two_operators_settled(desk: Desk) -> None:
    mia = beside(desk, Role.MANAGER, "mia@desk.example")
    with desk.runtime.db.transaction() as session:
        note_restored(session, restored_at=clock.now(), environment="test", actor="cli:test")
    where = mia.post("/operations/sending/resume", {"reason": "the relay's log is compared"}).headers["location"]
    desk.post(f"{where}/approve")
    assert at_the_machine(desk) == 0
    assert state(desk) == ["used"]


def test_a_policy_is_shown_and_revoked(desk: Desk) -> None:
    bo = beside(desk, Role.SUPERADMIN, "bo@desk.example")
    sql(
        desk,
        "INSERT INTO approvals (kind, act, params, digest, reason, state, asked_by, alone, decided_by, decided_at)"
        " VALUES ('policy', 'secrets.rotate', '{}', 'd', 'every night', 'approved', :a, false, :b, now())",
        a=number_of(desk.runtime, "olga@desk.example"),
        b=number_of(desk.runtime, "bo@desk.example"),
    )
    listed = desk.get("/approvals").text
    assert "Standing approvals" in listed
    where = re.search(r'href="(/approvals/\d+)"', listed)[1]  # type: ignore[index]
    bo.post(f"{where}/revoke")
    assert state(desk) == ["revoked"]


def test_nobody_sees_requests_who_may_not(desk: Desk) -> None:
    for role in (Role.VIEWER, Role.OPERATOR):
        one = beside(desk, role, f"{role}@desk.example")
        assert one.get("/approvals").status_code == 403
        assert "/approvals" not in one.get("/").text
    assert desk.get("/approvals/999").status_code == 404
    assert desk.post("/approvals/999/approve").status_code == 404
