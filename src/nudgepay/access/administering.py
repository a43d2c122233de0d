"""What one operator does to another: never to oneself, and making somebody a superadmin takes a second person."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.access.acts import GRANT_SUPERADMIN
from nudgepay.access.approvals import consume
from nudgepay.access.invitations import drop_invitation
from nudgepay.access.models import Operator
from nudgepay.access.operators import change_role, disable_operator, enable_operator, ensure_another_superadmin
from nudgepay.access.permissions import Role
from nudgepay.access.sessions import SignedIn
from nudgepay.errors import NudgePayError


class OwnPower(NudgePayError):
    """Nobody changes what they themselves may do."""

    status = 403


def give_role(session: Session, operator: Operator, role: Role, *, by: SignedIn) -> None:
    """Another role, from the next request on. Raises LastSuperadmin, OwnPower, and NotCovered for a superadmin's."""
    if role is not Role.SUPERADMIN:
        ensure_another_superadmin(session, operator)
    _ensure_not_own(operator, by)
    if role is Role.SUPERADMIN and operator.role != role:
        consume(session, GRANT_SUPERADMIN, granting(operator), by=by)
    change_role(session, operator, role, actor=by.actor)


def switch_off(session: Session, operator: Operator, *, by: SignedIn) -> None:
    """Out everywhere, with every invitation and token. Raises LastSuperadmin and OwnPower."""
    ensure_another_superadmin(session, operator)
    _ensure_not_own(operator, by)
    drop_invitation(session, operator.id)
    disable_operator(session, operator, actor=by.actor)


def switch_on(session: Session, operator: Operator, *, by: SignedIn) -> None:
    """Back again. Raises OwnPower, and NotCovered for somebody who would be a superadmin again."""
    _ensure_not_own(operator, by)
    if operator.role == Role.SUPERADMIN and operator.disabled_at is not None:
        consume(session, GRANT_SUPERADMIN, granting(operator), by=by)
    enable_operator(session, operator, actor=by.actor)


def granting(operator: Operator) -> dict[str, int]:
    """The parameters of making this operator a superadmin."""
    return {"operator": operator.id}


def count_tokens(session: Session, operator_id: int) -> int:
    """How many working tokens die with this operator's access."""
    query = "SELECT count(*) FROM service_tokens WHERE created_by = :id AND revoked_at IS NULL AND expires_at > now()"
    return session.scalar(text(query), {"id": operator_id}) or 0


def _ensure_not_own(operator: Operator, by: SignedIn) -> None:
    if operator.id == by.operator_id:
        raise OwnPower("nobody changes their own access: ask another superadmin")
