"""A person's data on the pages: shown, handed out, erased after a tick and a proof, and told afterwards."""

from sqlalchemy import text

from nudgepay.access.permissions import Role
from privacy.canary import ADDRESS, NAME, a_client, leave_traces
from web.ui.desk import Desk


def _client(desk: Desk) -> int:
    with desk.runtime.db.transaction() as session:
        client_id = a_client(session)
        leave_traces(session, client_id)
        session.execute(text("UPDATE invoices SET description = 'Work' WHERE client_id = :id"), {"id": client_id})
        session.execute(text("UPDATE money_facts SET note = NULL WHERE client_id = :id"), {"id": client_id})
        session.execute(text("UPDATE letters SET state = 'accepted' WHERE state = 'unknown'"))
    return client_id


def test_a_client_is_erased_and_every_page_goes_on(lived: Desk) -> None:
    client_id = _client(lived)
    there = f"/clients/{client_id}/personal-data"
    seen = lived.get(there).text
    assert "What the law keeps" in seen
    assert "Lines of bank statements" in seen
    exported = lived.post(f"{there}/export")
    assert exported.headers["cache-control"] == "no-store"
    assert exported.json()["data"]["clients"][0]["name"] == NAME
    assert lived.post(f"{there}/erase").status_code == 422
    assert lived.post(f"{there}/erase", {"sure": "yes"}).status_code in {303, 409}
    told = lived.told(lived.post(f"{there}/erase", {"sure": "yes", "silence": "yes"}))
    assert "Everything that may go is gone" in told
    with lived.runtime.db.transaction() as session:
        invoice, letter = session.execute(
            text(
                "SELECT r.invoice_id, r.letter_id FROM reminders r WHERE client_id = :id AND letter_id IS NOT NULL LIMIT 1"
            ),
            {"id": client_id},
        ).one()
        acts = set(session.scalars(text("SELECT action FROM audit_events WHERE action LIKE 'privacy.%'")))
    assert acts == {"privacy.export", "privacy.erase"}
    pages = (
        "/",
        f"/clients/{client_id}",
        f"/invoices/{invoice}",
        f"/letters/{letter}",
        "/letters",
        "/clients",
        "/plan",
        "/audit",
    )
    for path in (*pages, f"/search?q={NAME.split()[1]}", f"/clients/{client_id}/edit"):
        answer = lived.get(path)
        assert answer.status_code == 200, path
        assert NAME not in answer.text, path
        assert ADDRESS not in answer.text, path
    assert "(erased)" in lived.get(f"/clients/{client_id}").text
    assert "SHA-256" in lived.get(f"/letters/{letter}").text
    assert not list(lived.runtime.settings.nudgepay_home.glob(f"outbox/np.{letter}.*"))


def test_who_may_export_may_not_erase(lived: Desk) -> None:
    client_id = _client(lived)
    there = f"/clients/{client_id}/personal-data"
    manager = Desk(lived.client, lived.runtime, Role.MANAGER)
    assert "Erase for good" not in manager.get(there).text
    assert manager.post(f"{there}/erase", {"sure": "yes", "silence": "yes"}).status_code == 403
    for role in (Role.OPERATOR, Role.VIEWER, Role.AUDITOR):
        other = Desk(lived.client, lived.runtime, role)
        assert other.get(there).status_code == 403
        assert other.post(f"{there}/export").status_code == 403


def test_it_takes_a_proof_that_is_fresh(lived: Desk) -> None:
    client_id = _client(lived)
    with lived.runtime.db.transaction() as session:
        session.execute(text("UPDATE sessions SET proven_at = now() - interval '1 day'"))
    for act in ("erase", "export"):
        answer = lived.post(f"/clients/{client_id}/personal-data/{act}", {"sure": "yes", "silence": "yes"})
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/account/prove")
    with lived.runtime.db.transaction() as session:
        assert session.scalar(text("SELECT name FROM clients WHERE id = :id"), {"id": client_id}) == NAME
