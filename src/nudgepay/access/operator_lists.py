"""Operators as a person wants to see them. Reading only."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.errors import NotFound

MOST = 500
_ROWS = """
SELECT o.id, o.email, o.role, o.disabled_at, o.created_at, o.created_by, i.expires_at AS invited_until,
       greatest(s.seen_at, a.at) AS seen_at, coalesce(s.sessions, 0) AS sessions,
       EXISTS (SELECT FROM totp_factors WHERE operator_id = o.id) AS has_second_factor
  FROM operators o
  LEFT JOIN invitations i ON i.operator_id = o.id AND i.expires_at > now()
  LEFT JOIN LATERAL (SELECT max(seen_at) AS seen_at, count(*) FILTER (WHERE ends_at > now()) AS sessions
                       FROM sessions WHERE operator_id = o.id) s ON true
  LEFT JOIN LATERAL (SELECT at FROM audit_events WHERE subject = 'operators:' || o.id AND action = 'session.start'
                      ORDER BY id DESC LIMIT 1) a ON true
"""


def list_operators(session: Session) -> Sequence[Row[Any]]:
    """Everybody with when they were last seen, those who may come in first."""
    query = f"{_ROWS} ORDER BY o.disabled_at IS NOT NULL, lower(o.email) LIMIT {MOST}"
    return session.execute(text(query)).all()


def the_operator(session: Session, operator_id: int) -> Row[Any]:
    """The same of one; raises NotFound."""
    found = session.execute(text(f"{_ROWS} WHERE o.id = :id"), {"id": operator_id}).one_or_none()
    if found is None:
        raise NotFound("there is no such operator")
    return found


def sessions_of(session: Session, operator_id: int) -> Sequence[Row[Any]]:
    """Where an operator is signed in, the latest used first."""
    query = text(
        "SELECT id, started_at, seen_at, ends_at FROM sessions WHERE operator_id = :id AND ends_at > now()"
        " ORDER BY seen_at DESC LIMIT 20"
    )
    return session.execute(query, {"id": operator_id}).all()
