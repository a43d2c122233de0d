"""Everything about one invoice on one page: money, reminders, letters, promises, disputes, doubts."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.invoices.queries import invoice_by_number
from nudgepay.money import format_money

_ROWS = {
    "payments": (
        "SELECT f.id, f.provider, f.kind, a.amount, f.currency, f.occurred_at, f.voided_at FROM allocations a"
        " JOIN money_facts f ON f.id = a.fact_id WHERE a.invoice_id = :id ORDER BY f.occurred_at, f.id"
    ),
    "reminders": (
        "SELECT step, schedule_version AS version, state, coalesce(reason, held_reason) AS reason, held_until,"
        " due_at, letter_id FROM reminders WHERE invoice_id = :id ORDER BY due_at, id"
    ),
    "letters": (
        "SELECT DISTINCT l.id, l.message_id, l.subject, l.template, l.language, l.text_version, l.state,"
        " l.sending_at, l.accepted_at FROM letters l"
        " JOIN reminders r ON r.letter_id = l.id WHERE r.invoice_id = :id ORDER BY l.sending_at"
    ),
    "promises": "SELECT promised_on, amount, state, made_at FROM promises WHERE invoice_id = :id ORDER BY id",
    "disputes": "SELECT amount, opened_at, resolved_at, resolution FROM disputes WHERE invoice_id = :id ORDER BY id",
    "reviews": "SELECT id, reason, opened_at, resolution FROM reviews WHERE invoice_id = :id ORDER BY id",
}


def dossier(session: Session, number: str) -> dict[str, Any]:
    """The page as a document; raises NotFound."""
    invoice = invoice_by_number(session, number)
    money = {
        name: format_money(getattr(invoice, name), invoice.currency, "en")
        for name in ("amount_due", "amount_paid", "amount_remaining")
    }
    head = {
        "number": invoice.number,
        "client": invoice.client.name,
        **money,
        "status": invoice.status,
        "money_state": invoice.money_state,
        "issued_on": str(invoice.issued_on),
        "due_on": str(invoice.due_on),
        "paused_until": invoice.paused_until and str(invoice.paused_until),
        "reminders": "off" if invoice.reminders_off_at else "on",
        "waits_for_release": invoice.amnesty_at is not None,
        "next_look_at": invoice.next_at and invoice.next_at.isoformat(),
    }
    rows = {
        name: [dict(row) for row in session.execute(text(query), {"id": invoice.id}).mappings()]
        for name, query in _ROWS.items()
    }
    return {"invoice": head, **rows}
