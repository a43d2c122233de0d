"""Reads of what was written: the list of letters, newest first, a page at a time."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.errors import UsageError

LETTER_STATES = (
    "planned",
    "sending",
    "accepted",
    "delivered",
    "bounced",
    "complained",
    "failed",
    "unknown",
    "cancelled",
)
"""`planned`: certainly not taken yet, to be tried again; the others are those of their reminders."""


def list_letters(session: Session, *, state: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """The newest letters (in one state), amounts in minor units. Raises UsageError for an unknown state."""
    if state is not None and state not in LETTER_STATES:
        raise UsageError(f"{state!r} is no state of a letter; one of: {', '.join(LETTER_STATES)}")
    rows = session.execute(text(_LETTERS), {"state": state, "limit": limit}).mappings()
    return [dict(row) | {"letter_id": str(row["letter_id"])} for row in rows]


_LETTERS = """
SELECT l.id AS letter_id, l.state, c.name AS client, l.to_address AS to, l.subject, l.currency, l.amount, l.n,
       l.message_id, l.sending_at, l.accepted_at, l.reply,
       (SELECT coalesce(array_agg(i.number ORDER BY i.due_on, i.id), '{}') FROM reminders r
          JOIN invoices i ON i.id = r.invoice_id WHERE r.letter_id = l.id) AS invoices,
       (SELECT coalesce(array_agg(r.step ORDER BY i.due_on, i.id), '{}') FROM reminders r
          JOIN invoices i ON i.id = r.invoice_id WHERE r.letter_id = l.id) AS steps
  FROM letters l JOIN clients c ON c.id = l.client_id
 WHERE CAST(:state AS text) IS NULL OR l.state = :state
 ORDER BY l.sending_at DESC, l.created_at DESC, l.id
 LIMIT :limit
"""
