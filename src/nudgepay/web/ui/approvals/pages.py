"""`/approvals`: what waits for me, what I asked for, what stands, and what was."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.acts import ACTS
from nudgepay.access.approval_lists import asked_by, past, standing, waiting_beside
from nudgepay.access.approvals import approval
from nudgepay.access.delegation import Approval
from nudgepay.access.operators import names_of
from nudgepay.access.permissions import Permission
from nudgepay.access.trust import is_alone
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.approvals.words import STATES, WORDS
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.row_ids import HIGHEST, RowId

router = APIRouter()
Reading = Annotated[Page, allowed(Permission.APPROVAL_READ)]
AT_ONCE = 25


@router.get("/approvals", response_class=HTMLResponse)
def approvals(
    page: Reading, session: ReadSessionDep, before: Annotated[int, Query(ge=0, le=HIGHEST)] = 0
) -> Response:
    """Open ones whole; those that are over a page at a time."""
    older = past(session, before=before or None, limit=AT_ONCE + 1)
    waiting = [] if before else waiting_beside(session, page.signed)
    mine = [] if before else asked_by(session, page.signed)
    policies = [] if before else standing(session)
    return page.show(
        "approvals/list.html",
        waiting=waiting,
        mine=mine,
        policies=policies,
        past=older[:AT_ONCE],
        next_url=f"/approvals?before={older[AT_ONCE - 1].id}" if len(older) > AT_ONCE else "",
        before=before,
        names=_names(session, [*waiting, *mine, *policies, *older]),
        words=WORDS,
        states=STATES,
        acts=[(act, WORDS[act.name]) for act in ACTS.values()],
    )


@router.get("/approvals/{approval_id}", response_class=HTMLResponse)
def one(approval_id: RowId, page: Reading, session: ReadSessionDep) -> Response:
    """What exactly would happen, who asks and why, and what was said."""
    return show_approval(page, session, approval_id)


def show_approval(
    page: Page, session: Session, approval_id: int, *, problem: str = "", status: int = 200
) -> Response:
    """The page of one request."""
    found = approval(session, approval_id)
    act, words = ACTS[found.act], WORDS[found.act]
    is_own = found.asked_by == page.signed.operator_id
    path, fields = words.form(found.id, found.params)
    return page.show(
        "approvals/one.html",
        status=status,
        one=found,
        act=act,
        words=words,
        details=words.details(page, session, found.params),
        names=_names(session, [found]),
        states=STATES,
        is_own=is_own,
        is_over=found.expires_at is not None and found.expires_at <= page.now,
        is_ready=found.alone and found.ready_at is not None and found.ready_at <= page.now,
        is_alone=found.alone and is_alone(session, act, page.signed),
        may_decide=not is_own and page.may(act.approving) and page.may(Permission.APPROVAL_DECIDE),
        path=path,
        fields=fields,
        problem=problem,
    )


def _names(session: Session, rows: list[Approval]) -> dict[str, str]:
    ids = {one.asked_by for one in rows} | {one.decided_by for one in rows if one.decided_by is not None}
    return names_of(session, [f"operator:{number}" for number in ids])
