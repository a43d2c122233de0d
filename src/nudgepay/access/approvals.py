"""Asking a second person, answering, and acting on the answer once.

Each step is one statement over the row's state, so that of many at once one goes through. Ages are judged by the
database's clock, and who may is read anew at each step: an approval of somebody who may not approve any more is none.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import audit, ledger
from nudgepay.access.acts import COOLING_OFF, Act, act_named
from nudgepay.access.delegation import Approval
from nudgepay.access.models import Operator
from nudgepay.access.permissions import PERMISSIONS, Permission, Role
from nudgepay.access.sessions import SignedIn
from nudgepay.errors import Conflict, NotFound, NudgePayError, Refused, UsageError

SHORTEST_REASON, LONGEST_REASON = 3, 500
DISTRUST = timedelta(hours=24)
"""For this long after changing another operator's access, one is neither alone nor approved by that operator."""

Params = Mapping[str, Any]


class NotCovered(Refused):
    """No second person has said yes to exactly this."""


class SelfApproval(NudgePayError):
    """Who asks is not who approves."""

    status = 403


class MayNotApprove(NudgePayError):
    """The person lacks what approving this takes."""

    status = 403


class Settled(Conflict):
    """The request is not open any more."""


def digest_of(params: Params) -> str:
    """The same for the same parameters, in whatever order they were written."""
    written = json.dumps(params, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(written.encode()).hexdigest()


def ask(session: Session, act: Act, params: Params, *, by: SignedIn, reason: str, policy: bool = False) -> Approval:
    """Put it before a second person. Asked twice, it is one request.

    Where nobody else could approve, a single act of a superadmin waits for its own cooling-off instead.
    """
    _ensure_may(by.role, act.asking)
    reason = clean_reason(reason)
    alone = not policy and is_alone(session, act, by)
    kind = "policy" if policy else "single"
    values = {
        "kind": kind,
        "act": act.name,
        "params": dict(params),
        "digest": digest_of(params),
        "reason": reason,
        "state": "waiting",
        "asked_by": by.operator_id,
        "expires_at": func.now() + act.lives,
        "alone": alone,
        "ready_at": func.now() + COOLING_OFF if alone else None,
    }
    expire_overdue(session)
    index = ["kind", "act", "digest", "asked_by"]
    made = session.scalar(
        insert(Approval)
        .values(**values)
        .on_conflict_do_nothing(index_elements=index, index_where=text("state IN ('waiting', 'approved')"))
        .returning(Approval.id)
    )
    if made is None:
        return _open_one(session, act, params, by, kind)
    after = {"act": act.name, "kind": kind, "digest": values["digest"], "alone": alone}
    audit.record(session, actor=by.actor, action="approval.ask", subject=f"approvals:{made}", after=after)
    ledger.notice(session, "approval.waiting", _key(made), {"approval": made, "act": act.name})
    return approval(session, made)


def _open_one(session: Session, act: Act, params: Params, by: SignedIn, kind: str) -> Approval:
    query = select(Approval).where(
        Approval.kind == kind,
        Approval.act == act.name,
        Approval.digest == digest_of(params),
        Approval.asked_by == by.operator_id,
        Approval.state.in_(("waiting", "approved")),
    )
    found = session.scalar(query)
    if found is None:
        raise Settled("your request was settled in this moment: look again, then ask anew")
    return found


def decide(session: Session, approval_id: int, *, by: SignedIn, approve: bool, reason: str = "") -> Approval:
    """Say yes or no, once. Raises SelfApproval, MayNotApprove, Settled, and UsageError for a no without a reason."""
    found = approval(session, approval_id)
    if found.asked_by == by.operator_id:
        raise SelfApproval("you asked for this yourself: it takes somebody else")
    act = act_named(found.act)
    if not by.may(act.approving):
        raise MayNotApprove(f"your role ({by.role}) may not approve this; it takes {act.approving}")
    if _has_changed(session, found.asked_by, by.operator_id):
        raise MayNotApprove("who asks has changed your access within the last day: it takes somebody else")
    given = clean_reason(reason) if reason.strip() or not approve else None
    state = "approved" if approve else "declined"
    expires = "expires_at"
    if approve:
        expires = "NULL" if found.kind == "policy" else "now() + :lives"
    row = session.execute(
        text(
            "UPDATE approvals SET state = :state, decided_by = :by, decided_at = now(), decision_reason = :reason,"  # noqa: S608
            f" expires_at = {expires} WHERE id = :id AND state = 'waiting' AND expires_at > clock_timestamp()"
            " AND asked_by <> :by RETURNING id"
        ),
        {"state": state, "by": by.operator_id, "reason": given, "id": approval_id, "lives": act.lives},
    ).one_or_none()
    if row is None:
        raise Settled("this request is not waiting any more: somebody answered it, or its time is over")
    session.refresh(found)
    after = {"act": found.act, "digest": found.digest}
    audit.record(session, actor=by.actor, action=f"approval.{state}", subject=f"approvals:{approval_id}", after=after)
    ledger.resolve_notice(session, _key(approval_id), actor=by.actor)
    return found


def _has_changed(session: Session, asker: int, other: int) -> bool:
    """True when the asker made, invited or changed the other within a day: who was made to say yes says nothing."""
    query = (
        "SELECT 1 FROM audit_events WHERE subject = :subject AND actor = :actor AND action LIKE 'operator.%'"
        " AND at > now() - :distrust LIMIT 1"
    )
    given = {"subject": f"operators:{other}", "actor": f"operator:{asker}", "distrust": DISTRUST}
    return session.scalar(text(query), given) is not None


def withdraw(session: Session, approval_id: int, *, by: SignedIn) -> None:
    """Take back what one asked for, answered or not. Raises NotFound for what is not one's own, and Settled."""
    _end(session, approval_id, state="withdrawn", by=by.actor, where="asked_by = :by", by_id=by.operator_id)


def revoke(session: Session, approval_id: int, *, by: SignedIn) -> None:
    """End a standing approval, or a yes that was not acted on yet. Raises MayNotApprove and Settled."""
    found = approval(session, approval_id)
    if not by.may(act_named(found.act).approving):
        raise MayNotApprove(f"your role ({by.role}) may not end this; it takes {act_named(found.act).approving}")
    _end(
        session,
        approval_id,
        state="revoked",
        by=by.actor,
        where="state = 'approved' AND :by > 0",
        by_id=by.operator_id,
    )


def _end(session: Session, approval_id: int, *, state: str, by: str, where: str, by_id: int) -> None:
    row = session.execute(
        text(
            "UPDATE approvals SET state = :state"  # noqa: S608
            f" WHERE id = :id AND state IN ('waiting', 'approved') AND {where} RETURNING id"
        ),
        {"state": state, "id": approval_id, "by": by_id},
    ).one_or_none()
    if row is None:
        raise Settled("this is over already, or it is not yours to end")
    audit.record(session, actor=by, action=f"approval.{state}", subject=f"approvals:{approval_id}")
    ledger.resolve_notice(session, _key(approval_id), actor=by)


_USE = """
UPDATE approvals a SET state = 'used', used_at = now(), used_by = :actor, uses = a.uses + 1
 WHERE a.id = (
       SELECT o.id FROM approvals o
        WHERE o.kind = 'single' AND o.act = :act AND o.digest = :digest AND o.expires_at > clock_timestamp()
          AND (CAST(:by AS bigint) IS NULL OR o.asked_by = :by)
          AND (o.state = 'approved'
               OR (o.state = 'waiting' AND o.alone AND :alone AND o.ready_at <= clock_timestamp()))
        ORDER BY o.state, o.id LIMIT 1 FOR UPDATE)
   AND a.state IN ('approved', 'waiting')
RETURNING a.id, a.alone AND a.decided_by IS NULL AS alone, a.asked_by, a.decided_by
"""


def consume(session: Session, act: Act, params: Params, *, by: SignedIn) -> int:
    """Use up the yes to exactly this, in the transaction of the act; returns its id. Raises NotCovered.

    Of many at once one goes through. Who approved must still be allowed to, and so must who acts.
    """
    _ensure_may(by.role, act.asking)
    return _use(session, act, params, actor=by.actor, by=by.operator_id, alone=is_alone(session, act, by))


def consume_at_the_machine(session: Session, act: Act, params: Params, *, actor: str) -> int:
    """The same from the command line: whoever runs it acts on what an operator asked for. Raises NotCovered."""
    return _use(session, act, params, actor=actor, by=None, alone=False)


def _use(session: Session, act: Act, params: Params, *, actor: str, by: int | None, alone: bool) -> int:
    given = {"act": act.name, "digest": digest_of(params), "actor": actor, "by": by, "alone": alone}
    row = session.execute(text(_USE), given).one_or_none()
    if row is None:
        raise NotCovered("this takes a second person, and nobody has approved exactly this")
    if not row.alone:
        _ensure_still_may(session, row.decided_by, act.approving)
    _ensure_still_may(session, row.asked_by, act.asking)
    audit.record(
        session,
        actor=actor,
        action="approval.use",
        subject=f"approvals:{row.id}",
        after={"act": act.name, "digest": given["digest"], "alone": row.alone},
    )
    ledger.resolve_notice(session, _key(row.id), actor=actor)
    return int(row.id)


def under_policy(session: Session, act: Act, params: Params, *, actor: str) -> int:
    """For a scheduled job: note that it acts under a standing approval; returns its id. Raises NotCovered."""
    row = session.execute(
        text(
            "UPDATE approvals SET used_at = now(), used_by = :actor, uses = uses + 1"
            " WHERE kind = 'policy' AND act = :act AND digest = :digest AND state = 'approved'"
            " RETURNING id, decided_by"
        ),
        {"act": act.name, "digest": digest_of(params), "actor": actor},
    ).first()
    if row is None:
        raise NotCovered("no standing approval covers this")
    _ensure_still_may(session, row.decided_by, act.approving)
    after = {"act": act.name, "digest": digest_of(params)}
    audit.record(session, actor=actor, action="approval.use", subject=f"approvals:{row.id}", after=after)
    return int(row.id)


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


def expire_overdue(session: Session) -> int:
    """Close what nobody answered or acted on in its time; returns how many."""
    rows = session.scalars(
        text(
            "UPDATE approvals SET state = 'expired' WHERE state IN ('waiting', 'approved')"
            " AND expires_at <= clock_timestamp() RETURNING id"
        )
    ).all()
    for row in rows:
        audit.record(session, actor="job:expire_approvals", action="approval.expire", subject=f"approvals:{row}")
        ledger.resolve_notice(session, _key(row), actor="job:expire_approvals")
    return len(rows)


def approval(session: Session, approval_id: int) -> Approval:
    """The request; raises NotFound."""
    found = session.get(Approval, approval_id, populate_existing=True)
    if found is None:
        raise NotFound("there is no such request")
    return found


def clean_reason(reason: str) -> str:
    """One paragraph of a person's own; raises UsageError."""
    found = " ".join(reason.split())
    if not SHORTEST_REASON <= len(found) <= LONGEST_REASON or not found.isprintable():
        raise UsageError(f"reason: say why, in {SHORTEST_REASON} to {LONGEST_REASON} characters")
    return found


def _ensure_may(role: Role, permission: Permission) -> None:
    if permission not in PERMISSIONS[role]:
        raise MayNotApprove(f"your role ({role}) may not do this; it takes {permission}")


def _ensure_still_may(session: Session, operator_id: int, permission: Permission) -> None:
    """The operator, locked against being changed until the act is committed, still works and still may."""
    query = select(Operator.role, Operator.disabled_at).where(Operator.id == operator_id).with_for_update(read=True)
    row = session.execute(query).one()
    if row.disabled_at is not None or permission not in PERMISSIONS[Role(row.role)]:
        raise NotCovered("who stood for this may not do so any more: ask anew")


def _key(approval_id: int) -> str:
    return f"approval.waiting:{approval_id}"
