"""Reads of these messages, newest first."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay.errors import UsageError
from nudgepay.nudges.letters import LETTER_STATES
from nudgepay.nudges.mailings.models import KINDS, Mailing


def list_mailings(
    session: Session, *, state: str | None = None, kind: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """The newest messages (in one state, of one kind). Raises UsageError for an unknown state or kind."""
    if state is not None and state not in LETTER_STATES:
        raise UsageError(f"{state!r} is no state of a message; one of: {', '.join(LETTER_STATES)}")
    if kind is not None and kind not in KINDS:
        raise UsageError(f"{kind!r} is no kind of message; one of: {', '.join(KINDS)}")
    query = select(Mailing).order_by(Mailing.created_at.desc(), Mailing.id).limit(limit)
    query = query.where(Mailing.state == state) if state else query
    query = query.where(Mailing.kind == kind) if kind else query
    return [
        {
            "id": str(one.id),
            "kind": one.kind,
            "state": one.state,
            "to": one.to_address,
            "subject": one.subject,
            "reason": one.reason,
            "message_id": one.message_id,
            "look_at": one.look_at,
            "sending_at": one.sending_at,
            "accepted_at": one.accepted_at,
            "reply": one.reply,
        }
        for one in session.scalars(query)
    ]
