"""`/approvals/{id}/...`: yes, no, not any more. Each is said once, and stays said."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import Response

from nudgepay.access.approvals import decide, revoke, withdraw
from nudgepay.access.permissions import Permission
from nudgepay.errors import UsageError
from nudgepay.web.deps import SessionDep
from nudgepay.web.ui.approvals.pages import show_approval
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.refusals import refusals_noted
from nudgepay.web.ui.row_ids import RowId

router = APIRouter()
Deciding = Annotated[Page, allowed(Permission.APPROVAL_DECIDE, fresh=True)]
Ending = Annotated[Page, allowed(Permission.APPROVAL_DECIDE)]
Own = Annotated[Page, allowed(Permission.APPROVAL_READ)]
Reason = Annotated[str, Form(max_length=2000)]


@router.post("/approvals/{approval_id}/approve")
def approve(approval_id: RowId, page: Deciding, session: SessionDep, reason: Reason = "") -> Response:
    """Yes to exactly what is shown. Raises SelfApproval, MayNotApprove and Settled."""
    with refusals_noted(page.runtime, page.actor, page.request):
        decide(session, approval_id, by=page.signed, approve=True, reason=reason)
    return page.go(f"/approvals/{approval_id}", told=page.gettext("Approved. Who asked can do it now, once."))


@router.post("/approvals/{approval_id}/decline")
def decline(approval_id: RowId, page: Deciding, session: SessionDep, reason: Reason = "") -> Response:
    """No, and why."""
    try:
        with refusals_noted(page.runtime, page.actor, page.request):
            decide(session, approval_id, by=page.signed, approve=False, reason=reason)
    except UsageError:
        problem = page.gettext("Say why, in 3 to 500 characters: who asked reads it.")
        return show_approval(page, session, approval_id, problem=problem, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return page.go(f"/approvals/{approval_id}", told=page.gettext("Declined. Who asked is told why."))


@router.post("/approvals/{approval_id}/withdraw")
def take_back(approval_id: RowId, page: Own, session: SessionDep) -> Response:
    """Not any more; only who asked says so."""
    with refusals_noted(page.runtime, page.actor, page.request):
        withdraw(session, approval_id, by=page.signed)
    return page.go("/approvals", told=page.gettext("Withdrawn. Nothing was done."))


@router.post("/approvals/{approval_id}/revoke")
def end(approval_id: RowId, page: Ending, session: SessionDep) -> Response:
    """A yes counts no longer: a standing one, or one that was not acted on yet."""
    with refusals_noted(page.runtime, page.actor, page.request):
        revoke(session, approval_id, by=page.signed)
    return page.go(f"/approvals/{approval_id}", told=page.gettext("Revoked. It covers nothing any more."))
