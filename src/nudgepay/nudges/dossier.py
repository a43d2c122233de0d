"""Everything about one invoice on one page: money, reminders, letters, promises, disputes, doubts."""

from typing import Any

from sqlalchemy.orm import Session

from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import invoice_by_number
from nudgepay.money import format_money
from nudgepay.nudges.history import gather

_COLUMNS = {
    "payments": "id provider kind allocated=amount currency occurred_at voided_at",
    "reminders": "step schedule_version=version state reason held_until due_at letter_id",
    "letters": "id message_id subject template language text_version state sending_at accepted_at",
    "promises": "promised_on amount state made_at",
    "disputes": "amount opened_at resolved_at resolution",
    "reviews": "id reason opened_at resolution",
}
"""What the page shows of each section, some of it by another name."""


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
    return {"invoice": head, **{name: _rows(session, name, invoice) for name in _COLUMNS}}


def _rows(session: Session, name: str, invoice: Invoice) -> list[dict[str, Any]]:
    section = "money_facts" if name == "payments" else name
    found = gather(session, section, invoice.id, invoice.client_id)
    for row in found:
        row["reason"] = row.get("reason") or row.get("held_reason")
    columns = [column.partition("=") for column in _COLUMNS[name].split()]
    return [{shown or column: row[column] for column, _, shown in columns} for row in found]
