"""Reads of what was written: lists of letters, newest first, a page at a time, and everything about one."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.errors import NotFound, UsageError

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


def list_letters(
    session: Session,
    *,
    state: str | None = None,
    client_id: int | None = None,
    to: str | None = None,
    after: tuple[datetime, uuid.UUID] | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """The newest letters, amounts in minor units; those behind the letter `after` (its `sending_at` and id).

    `to` is the beginning of an address. Raises UsageError for an unknown state.
    """
    conditions = {
        f"l.state = {_said(state)}" if state is not None else "": state,
        "l.client_id = :client_id": client_id,
        "starts_with(lower(l.to_address), lower(:to))": to,
        "(l.sending_at, l.id) < (:after_at, CAST(:after_id AS uuid))": after,
    }
    wanted = " AND ".join(condition for condition, value in conditions.items() if value is not None) or "true"
    values: dict[str, Any] = {"client_id": client_id, "to": to, "limit": limit}
    values |= {"after_at": after[0], "after_id": after[1]} if after else {}
    rows = session.execute(text(_LETTERS.format(wanted=wanted)), values).mappings()
    return [dict(row) | {"letter_id": str(row["letter_id"])} for row in rows]


_LETTERS = """
SELECT l.id AS letter_id, l.state, l.client_id, c.name AS client, l.to_address AS to, l.subject, l.currency,
       l.amount, l.n, l.message_id, l.sending_at, l.accepted_at, l.reply,
       (SELECT coalesce(array_agg(i.number ORDER BY i.due_on, i.id), '{{}}') FROM reminders r
          JOIN invoices i ON i.id = r.invoice_id WHERE r.letter_id = l.id) AS invoices,
       (SELECT coalesce(array_agg(r.step ORDER BY i.due_on, i.id), '{{}}') FROM reminders r
          JOIN invoices i ON i.id = r.invoice_id WHERE r.letter_id = l.id) AS steps
  FROM letters l JOIN clients c ON c.id = l.client_id
 WHERE {wanted}
 ORDER BY l.sending_at DESC, l.id DESC
 LIMIT :limit
"""


def letter_record(session: Session, letter_id: uuid.UUID) -> dict[str, Any]:
    """One letter whole: `letter` (its row, with client and contact), `lines` (its reminders and their invoices),
    `acts` (who did what to it). Raises NotFound."""
    letter = session.execute(text(_LETTER), {"id": letter_id}).one_or_none()
    if letter is None:
        raise NotFound(f"there is no letter {letter_id}; see: nudgepay letters")
    return {
        "letter": letter,
        "lines": _rows(session, _LINES, id=letter_id),
        "acts": _rows(session, _ACTS, subject=f"letters:{letter_id}"),
    }


def _rows(session: Session, query: str, **values: object) -> list[Row[Any]]:
    return list(session.execute(text(query), values))


_LETTER = """
SELECT l.id, l.client_id, c.name AS client, l.contact_id, p.name AS contact, l.run_id, l.currency, l.amount, l.locale,
       l.to_address, l.n, l.message_id, l.token, l.state, l.subject, l.mime, l.created_at, l.looked_at, l.sending_at,
       l.lease_until, l.accepted_at, l.settled_at, l.reply
  FROM letters l JOIN clients c ON c.id = l.client_id JOIN contacts p ON p.id = l.contact_id
 WHERE l.id = :id
"""
_LINES = """
SELECT r.id, r.step, r.state, r.error, r.nudge_key IS NOT NULL AS is_manual, r.gap_overridden_by, r.reviewed_by,
       i.id AS invoice_id, i.number, i.currency, i.due_on, i.amount_remaining, i.status
  FROM reminders r JOIN invoices i ON i.id = r.invoice_id
 WHERE r.letter_id = :id ORDER BY i.due_on, i.id
"""
_ACTS = "SELECT at, actor, action, before, after FROM audit_events WHERE subject = :subject ORDER BY id"


def count_by_state(session: Session, states: tuple[str, ...], *, cap: int) -> dict[str, int]:
    """How many letters are in each of these states, each counted up to `cap`."""
    counts = " UNION ALL ".join(_COUNT.format(state=_said(state)) for state in states)
    return {row.state: int(row.letters) for row in session.execute(text(counts), {"cap": cap})}


_COUNT = """
SELECT {state} AS state,
       (SELECT count(*) FROM (SELECT FROM letters WHERE state = {state} LIMIT :cap) AS few) AS letters
"""


def _said(state: str) -> str:
    """The state written into a statement: a plan for any state would read all letters to find none of a rare one."""
    if state not in LETTER_STATES:
        raise UsageError(f"{state!r} is no state of a letter; one of: {', '.join(LETTER_STATES)}")
    return f"'{state}'"
