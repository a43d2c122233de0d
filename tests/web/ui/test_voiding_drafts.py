"""A draft is voided and comes back as a draft: it never was a claim, and nothing counts it as one."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from nudgepay import clock
from nudgepay.invoices.actions import create_invoice
from nudgepay.invoices.models import Invoice
from nudgepay.runtime import Runtime
from nudges.books import make_client
from web.ui.desk import Desk
from web.ui.invoice_books import form_of, look, one, send, words

NOW = clock.now()


@pytest.fixture
def draft(runtime: Runtime) -> int:
    client_id = make_client(runtime.db)
    with runtime.db.transaction() as session:
        return create_invoice(
            session,
            client_id=client_id,
            number="D-1",
            currency="EUR",
            amount_due=10_000,
            issued_on=NOW.date() - timedelta(days=40),
            due_on=NOW.date() - timedelta(days=10),
            draft=True,
            now=NOW,
            actor="test",
        ).id


def standing(runtime: Runtime, invoice_id: int) -> tuple[str, object, object]:
    invoice = look(runtime, invoice_id)
    return invoice.status, invoice.next_at, invoice.closed_at


def test_a_draft_is_voided_after_a_look_and_comes_back_as_a_draft(desk: Desk, draft: int) -> None:
    runtime, path = desk.runtime, f"/invoices/{draft}/close/void"
    assert f'href="{path}"' in desk.get(f"/invoices/{draft}").text
    asked = words(desk.get(path).text)
    assert "It was never opened, so nothing was claimed" in asked
    assert "Its number, D-1, stays taken." in asked
    told = desk.told(send(desk, path, path))
    assert "Voided: nothing more is sent." in told
    assert standing(runtime, draft)[0] == "void"
    assert standing(runtime, draft)[2] is None
    assert "Make it a draft again" in told
    back = form_of(told, f"/invoices/{draft}/reopen")
    assert "It is a draft again" in desk.told(desk.post(f"/invoices/{draft}/reopen", back))
    assert standing(runtime, draft) == ("draft", None, None)
    acts = "SELECT string_agg(action || ' ' || (before ->> 'status'), ', ' ORDER BY id) FROM audit_events WHERE action LIKE 'invoice.%' AND before IS NOT NULL"
    assert one(runtime, acts) == "invoice.void draft, invoice.reopen void"
    assert desk.post(f"/invoices/{draft}/reopen", back).status_code == 409


def test_a_draft_is_not_written_off_and_an_open_invoice_comes_back_open(desk: Desk, draft: int) -> None:
    path = f"/invoices/{draft}/close/write-off"
    assert "there is nothing to write off" in words(desk.get(path).text)
    assert desk.post(path).status_code == 409
    assert standing(desk.runtime, draft)[0] == "draft"
    with desk.runtime.db.transaction() as session:
        session.execute(text("UPDATE invoices SET status = 'open'"))
    for how in ("void", "write-off"):
        assert desk.post(f"/invoices/{draft}/close/{how}").status_code == 303
        assert look(desk.runtime, draft).closed_at is not None
        assert desk.post(f"/invoices/{draft}/reopen").status_code == 303
        assert standing(desk.runtime, draft)[0] == "open"


def test_drafts_are_voided_together_with_other_invoices(desk: Desk, draft: int) -> None:
    with desk.runtime.db.transaction() as session:
        version = session.get_one(Invoice, draft).version
    fields = {"action": "void", "row": [f"{draft}:{version}"], "back": "/invoices?status=draft"}
    assert "Void 1 invoice" in desk.post("/invoices/bulk", fields).text
    assert "1 invoice is void." in desk.told(desk.post("/invoices/bulk/confirm", fields))
    assert standing(desk.runtime, draft)[::2] == ("void", None)
