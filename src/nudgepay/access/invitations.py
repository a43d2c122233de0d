"""Links by which operators choose their first password themselves: once, within a day.

Nobody who invites ever knows a password, and none travels by mail or chat; a link that was read by another before it
was used is noticed, because it works once.
"""

import hashlib
import secrets
from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.access.models import Operator
from nudgepay.access.operators import add_operator, change_password
from nudgepay.access.permissions import Role
from nudgepay.access.sessions import end_sessions_of
from nudgepay.errors import NotFound

HOURS = 24


class UnknownInvitation(NotFound):
    """No such invitation: never made, used, replaced, or too old."""


def invite_operator(session: Session, *, email: str, role: Role, actor: str) -> tuple[Operator, str]:
    """A new operator with a password that nobody knows, and the token of the link that replaces it."""
    made = add_operator(session, email=email, password=secrets.token_urlsafe(32), role=role, actor=actor)
    return made, invite(session, made, actor=actor)


def invite(session: Session, operator: Operator, *, actor: str) -> str:
    """A new link for somebody who lost the way in: an earlier one is dead, the password stays until it is used."""
    token = secrets.token_urlsafe(32)
    session.execute(
        text(
            "INSERT INTO invitations (operator_id, token_hash, expires_at, created_by)"
            " VALUES (:operator, :hash, now() + make_interval(hours => :hours), :actor)"
            " ON CONFLICT (operator_id) DO UPDATE SET token_hash = excluded.token_hash,"
            " expires_at = excluded.expires_at, created_at = now(), created_by = excluded.created_by"
        ),
        {"operator": operator.id, "hash": _hash(token), "hours": HOURS, "actor": actor},
    )
    audit.record(session, actor=actor, action="operator.invite", subject=f"operators:{operator.id}")
    return token


_INVITED = """
SELECT i.operator_id FROM invitations i JOIN operators o ON o.id = i.operator_id
 WHERE i.token_hash = :hash AND i.expires_at > clock_timestamp() AND o.disabled_at IS NULL
"""


def invited(session: Session, token: str) -> Operator:
    """Who the link is for; raises UnknownInvitation."""
    found = session.scalar(text(_INVITED), {"hash": _hash(token)})
    operator = session.get(Operator, found) if found is not None else None
    if operator is None:
        raise UnknownInvitation("this link is not valid: it works once, within a day; ask for a new one")
    return operator


def accept_invitation(session: Session, token: str, password: str, *, known: Iterable[str] = ()) -> Operator:
    """Choose the password; the link is used up. Raises UnknownInvitation, and UsageError for an unfit password."""
    operator = invited(session, token)
    change_password(session, operator, password, actor=f"operator:{operator.id}", known=known)
    used = session.execute(
        text("DELETE FROM invitations WHERE token_hash = :hash RETURNING operator_id"), {"hash": _hash(token)}
    ).one_or_none()
    if used is None:
        raise UnknownInvitation("this link was used in this moment by somebody else")
    return operator


def drop_invitation(session: Session, operator_id: int) -> None:
    """The link is dead: for somebody who was disabled."""
    session.execute(text("DELETE FROM invitations WHERE operator_id = :id"), {"id": operator_id})


def end_everywhere(session: Session, operator: Operator, *, actor: str) -> None:
    """Sign an operator out on every device."""
    end_sessions_of(session, operator.id)
    audit.record(session, actor=actor, action="operator.end_sessions", subject=f"operators:{operator.id}")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
