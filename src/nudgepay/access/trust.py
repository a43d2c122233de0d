"""Whose word counts: who may ask and approve now, who is alone, and whose yes would only be the asker's own."""

from datetime import timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from nudgepay.access.acts import Act
from nudgepay.access.models import Operator
from nudgepay.access.permissions import PERMISSIONS, Permission, Role
from nudgepay.access.sessions import SignedIn
from nudgepay.errors import NudgePayError, Refused

DISTRUST = timedelta(hours=24)
"""For this long after changing another operator's access, one is neither alone nor approved by that operator."""


class NotCovered(Refused):
    """No second person has said yes to exactly this."""


class MayNotApprove(NudgePayError):
    """The person lacks what approving this takes."""

    status = 403


def is_alone(session: Session, act: Act, by: SignedIn) -> bool:
    """True for a superadmin when no other working operator could approve.

    Not for a day after that superadmin took power from somebody: else the way to be alone would be a short one.
    """
    if by.role is not Role.SUPERADMIN:
        return False
    others = select(Operator.id).where(
        Operator.id != by.operator_id, Operator.disabled_at.is_(None), Operator.role.in_(roles_with(act.approving))
    )
    if session.scalar(others.limit(1)) is not None:
        return False
    took = (
        "SELECT 1 FROM audit_events WHERE actor = :actor AND action IN ('operator.disable', 'operator.role')"
        " AND subject <> :own AND at > now() - :distrust AND before ->> 'role' = ANY(:roles) LIMIT 1"
    )
    given = {
        "actor": by.actor,
        "own": f"operators:{by.operator_id}",
        "distrust": DISTRUST,
        "roles": roles_with(act.approving),
    }
    return session.scalar(text(took), given) is None


def roles_with(permission: Permission) -> list[str]:
    """The roles that hold it."""
    return [str(role) for role, held in PERMISSIONS.items() if permission in held]


def has_changed(session: Session, asker: int, other: int) -> bool:
    """True when the asker made, invited or changed the other within a day: who was made to say yes says nothing."""
    query = (
        "SELECT 1 FROM audit_events WHERE subject = :subject AND actor = :actor"
        " AND (action LIKE 'operator.%' OR action LIKE 'factor.%')"
        " AND at > now() - :distrust LIMIT 1"
    )
    given = {"subject": f"operators:{other}", "actor": f"operator:{asker}", "distrust": DISTRUST}
    return session.scalar(text(query), given) is not None


def ensure_may(role: Role, permission: Permission) -> None:
    """Raises MayNotApprove."""
    if permission not in PERMISSIONS[role]:
        raise MayNotApprove(f"your role ({role}) may not do this; it takes {permission}")


def ensure_still_may(session: Session, operator_id: int, permission: Permission) -> None:
    """Raises NotCovered unless the operator, locked until the act is committed, still works and still may."""
    query = select(Operator.role, Operator.disabled_at).where(Operator.id == operator_id).with_for_update(read=True)
    row = session.execute(query).one()
    if row.disabled_at is not None or permission not in PERMISSIONS[Role(row.role)]:
        raise NotCovered("who stood for this may not do so any more: ask anew")
