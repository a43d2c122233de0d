"""Steps marked `review`: a person reads the letter before it may go."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.errors import Conflict, NotFound
from nudgepay.invoices.queries import lock_client
from nudgepay.nudges.closing_days import calendar_now
from nudgepay.nudges.facts import ClientFacts
from nudgepay.nudges.plan import plan
from nudgepay.nudges.previewing import write_preview
from nudgepay.nudges.queries import load_clients, rules_now
from nudgepay.nudges.terms import Terms


class NotWaiting(Conflict):
    """The reminder does not wait for a review any more."""


def waiting_reviews(
    session: Session, *, terms: Terms, now: datetime, invoice_id: int | None = None
) -> list[dict[str, Any]]:
    """Every reminder (of one invoice) that waits for a reader, oldest first, with its letter as it would be written.

    `text` and `html` are None while something else (a pause, the contact gap) would hold it even when approved.
    """
    rows = session.execute(text(_WAITING), {"invoice_id": invoice_id}).all()
    clients = load_clients(session, sorted({row.client_id for row in rows}), now=now)
    return [
        {
            "reminder_id": row.id,
            "invoice": row.number,
            "client": row.client,
            "step": row.step,
            "since": row.due_at,
            **_letter(session, clients[row.client_id], row.id, terms=terms, now=now),
        }
        for row in rows
    ]


_WAITING = """
SELECT r.id, r.client_id, r.step, r.due_at, i.number, c.name AS client
  FROM reminders r JOIN invoices i ON i.id = r.invoice_id JOIN clients c ON c.id = r.client_id
 WHERE r.state = 'planned' AND r.held_reason = 'review' AND r.reviewed_at IS NULL
   AND (CAST(:invoice_id AS bigint) IS NULL OR r.invoice_id = :invoice_id)
 ORDER BY r.due_at, r.id
"""


def approve_review(session: Session, reminder_id: int, *, now: datetime, actor: str) -> None:
    """The letter may go as far as its reader is concerned. Raises NotFound, or NotWaiting when it is too late."""
    client_id = session.scalar(text("SELECT client_id FROM reminders WHERE id = :id"), {"id": reminder_id})
    if client_id is None:
        raise NotFound(f"there is no reminder {reminder_id}; see: nudgepay review list")
    lock_client(session, client_id)
    approved = session.scalar(
        text(
            "UPDATE reminders SET reviewed_at = :now, reviewed_by = :actor, look_at = :now, updated_at = now()"
            " WHERE id = :id AND state = 'planned' AND held_reason = 'review' AND reviewed_at IS NULL RETURNING id"
        ),
        {"id": reminder_id, "now": now, "actor": actor},
    )
    if approved is None:
        raise NotWaiting(f"reminder {reminder_id} does not wait for a review: nothing was changed")
    audit.record(session, actor=actor, action="reminder.approve", subject=f"reminders:{reminder_id}")


def _letter(
    session: Session, client: ClientFacts, reminder_id: int, *, terms: Terms, now: datetime
) -> dict[str, str | None]:
    approved = replace(
        client,
        invoices=tuple(
            replace(
                invoice,
                reminders=tuple(
                    replace(one, reviewed=True) if one.id == reminder_id else one for one in invoice.reminders
                ),
            )
            for invoice in client.invoices
        ),
    )
    rules, calendar = rules_now(session, terms.rules), calendar_now(session, terms.calendar)
    answer = plan(approved, rules=rules, calendar=calendar, now=now)
    for letter in answer.letters:
        if any(decision.reminder_id == reminder_id for decision in letter.decisions):
            written = write_preview(session, approved, letter, terms=terms, now=now)
            return {"subject": written.subject, "text": written.text, "html": written.html}
    return {"subject": None, "text": None, "html": None}
