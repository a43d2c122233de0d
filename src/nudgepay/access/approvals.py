"""Asking a second person, answering, and acting on the answer once.

Each step is one statement over the row's state, so that of many at once one goes through. Ages are judged by the
database's clock, and who may is read anew at each step: an approval of somebody who may not approve any more is none.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import audit, ledger
from nudgepay.access.acts import COOLING_OFF, Act, act_named
from nudgepay.access.delegation import Approval
from nudgepay.access.sessions import SignedIn
from nudgepay.access.trust import MayNotApprove, NotCovered, ensure_may, ensure_still_may, has_changed, is_alone
from nudgepay.errors import Conflict, NotFound, NudgePayError, UsageError

SHORTEST_REASON, LONGEST_REASON = 3, 500
Params = Mapping[str, Any]


class SelfApproval(NudgePayError):
    """Who asks is not who approves."""

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
    ensure_may(by.role, act.asking)
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
    if has_changed(session, found.asked_by, by.operator_id):
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


_COVERING = """
SELECT id, asked_by, decided_by, alone AND decided_by IS NULL AS alone FROM approvals
 WHERE kind = 'single' AND act = :act AND digest = :digest AND expires_at > clock_timestamp()
   AND (CAST(:by AS bigint) IS NULL OR asked_by = :by)
   AND (state = 'approved' OR (state = 'waiting' AND alone AND :alone AND ready_at <= clock_timestamp()))
 ORDER BY state, id LIMIT 1 FOR UPDATE
"""
_STANDING = """
SELECT id, asked_by, decided_by, false AS alone FROM approvals
 WHERE kind = 'policy' AND act = :act AND digest = :digest AND state = 'approved' ORDER BY id LIMIT 1 FOR UPDATE
"""
_USED = """
UPDATE approvals SET state = CASE kind WHEN 'single' THEN 'used' ELSE state END, used_at = now(), used_by = :actor,
       uses = uses + 1
 WHERE id = :id
"""


def consume(session: Session, act: Act, params: Params, *, by: SignedIn) -> int:
    """Use up the yes to exactly this, in the transaction of the act; returns its id. Raises NotCovered.

    Of many at once one goes through. Who approved must still be allowed to, and so must who acts.
    """
    ensure_may(by.role, act.asking)
    return _use(session, act, params, actor=by.actor, by=by.operator_id, alone=is_alone(session, act, by))


def consume_at_the_machine(session: Session, act: Act, params: Params, *, actor: str) -> int:
    """The same from the command line: whoever runs it acts on what an operator asked for. Raises NotCovered."""
    return _use(session, act, params, actor=actor, by=None, alone=False)


def _use(session: Session, act: Act, params: Params, *, actor: str, by: int | None, alone: bool) -> int:
    digest = digest_of(params)
    given = {"act": act.name, "digest": digest, "by": by, "alone": alone}
    row = session.execute(text(_COVERING), given).one_or_none()
    if row is None:
        raise NotCovered("this takes a second person, and nobody has approved exactly this")
    return _note_use(session, act, row, digest=digest, actor=actor)


def under_policy(session: Session, act: Act, params: Params, *, actor: str) -> int:
    """For a scheduled job: note that it acts under a standing approval; returns its id. Raises NotCovered."""
    digest = digest_of(params)
    row = session.execute(text(_STANDING), {"act": act.name, "digest": digest}).one_or_none()
    if row is None:
        raise NotCovered("no standing approval covers this")
    return _note_use(session, act, row, digest=digest, actor=actor)


def _note_use(session: Session, act: Act, row: Row[Any], *, digest: str, actor: str) -> int:
    if not row.alone:
        ensure_still_may(session, row.decided_by, act.approving)
    ensure_still_may(session, row.asked_by, act.asking)
    session.execute(text(_USED), {"id": row.id, "actor": actor})
    after = {"act": act.name, "digest": digest, "alone": row.alone}
    audit.record(session, actor=actor, action="approval.use", subject=f"approvals:{row.id}", after=after)
    ledger.resolve_notice(session, _key(row.id), actor=actor)
    return int(row.id)


def is_any_overdue(session: Session) -> bool:
    """True when `expire_overdue` would close something."""
    query = "SELECT EXISTS (SELECT FROM approvals WHERE state IN ('waiting', 'approved') AND expires_at <= now())"
    return bool(session.scalar(text(query)))


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


def _key(approval_id: int) -> str:
    return f"approval.waiting:{approval_id}"
