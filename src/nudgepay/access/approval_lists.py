"""Requests for a second person as a person wants to see them. Reading only."""

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from nudgepay.access.acts import ACTS
from nudgepay.access.delegation import Approval
from nudgepay.access.sessions import SignedIn

OPEN = ("waiting", "approved")
MOST = 100
"""Open requests that a list shows."""


def _in_time() -> Select[Approval]:
    is_in_time = or_(Approval.expires_at.is_(None), Approval.expires_at > func.now())
    return select(Approval).where(is_in_time).order_by(Approval.id.desc()).limit(MOST)


def waiting_beside(session: Session, signed: SignedIn) -> list[Approval]:
    """What others asked for and nobody has answered, that this person may answer first."""
    query = _in_time().where(Approval.state == "waiting", Approval.asked_by != signed.operator_id)
    return sorted(session.scalars(query), key=lambda one: not signed.may(ACTS[one.act].approving))


def asked_by(session: Session, signed: SignedIn) -> list[Approval]:
    """What this person asked for and is not over."""
    query = _in_time().where(
        Approval.asked_by == signed.operator_id, Approval.state.in_(OPEN), Approval.kind == "single"
    )
    return list(session.scalars(query))


def standing(session: Session) -> list[Approval]:
    """What jobs may do until somebody ends it."""
    query = _in_time().where(Approval.kind == "policy", Approval.state == "approved")
    return list(session.scalars(query))


def past(session: Session, *, before: int | None, limit: int) -> list[Approval]:
    """What is over, the newest first."""
    is_over = or_(Approval.state.not_in(OPEN), Approval.expires_at <= func.now())
    query = select(Approval).where(is_over).order_by(Approval.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Approval.id < before)
    return list(session.scalars(query))
