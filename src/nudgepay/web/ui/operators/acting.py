"""`/operators/{id}`: one operator; another role, out, in again. Nobody does it to themselves."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse, Response

from nudgepay.access.acts import GRANT_SUPERADMIN
from nudgepay.access.administering import OwnPower, count_tokens, give_role, granting, switch_off, switch_on
from nudgepay.access.invitations import end_everywhere
from nudgepay.access.models import Operator
from nudgepay.access.operator_lists import sessions_of, the_operator
from nudgepay.access.operators import operator_by_id, reset_second_factor
from nudgepay.access.permissions import Permission, Role
from nudgepay.access.trust import NotCovered
from nudgepay.errors import UsageError
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.approvals.asking import ask_second_person
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.refusals import refusals_noted
from nudgepay.web.ui.role_words import ROLES
from nudgepay.web.ui.row_ids import RowId

router = APIRouter()
Reading = Annotated[Page, allowed(Permission.OPERATOR_READ)]
Writing = Annotated[Page, allowed(Permission.OPERATOR_WRITE, fresh=True)]
Reason = Annotated[str, Form(max_length=2000)]


def path_of(operator: Operator) -> str:
    """The page of an operator."""
    return f"/operators/{operator.id}"


def ensure_other(page: Page, operator: Operator) -> None:
    """Raises OwnPower for oneself."""
    if operator.id == page.signed.operator_id:
        raise OwnPower("this is your own access: your account page has your password and sessions")


@router.get("/operators/{operator_id}", response_class=HTMLResponse)
def operator(operator_id: RowId, page: Reading, session: ReadSessionDep) -> Response:
    """Who it is, where they are signed in, and what can be done about them."""
    found = the_operator(session, operator_id)
    return page.show(
        "operators/one.html",
        one=found,
        roles=ROLES,
        sessions=sessions_of(session, operator_id),
        tokens=count_tokens(session, operator_id),
        is_own=operator_id == page.signed.operator_id,
    )


@router.post("/operators/{operator_id}/role")
def role(
    operator_id: RowId,
    page: Writing,
    session: SessionDep,
    role: Annotated[str, Form(max_length=20)] = "",
    reason: Reason = "",
) -> Response:
    """Another role from their next request on; a superadmin's takes a second person."""
    wanted = next((one for one in Role if one == role), None)
    if wanted is None:
        raise UsageError(f"role: say one of {', '.join(Role)}")
    found = operator_by_id(session, operator_id)
    before = found.role
    try:
        with refusals_noted(page.runtime, page.actor, page.request):
            give_role(session, found, wanted, by=page.signed)
    except NotCovered:
        return _ask(page, session, found, "role", reason, [("role", role)])
    told = page.gettext("%(email)s is %(role)s now.") % {
        "email": found.email,
        "role": page.gettext(ROLES[wanted].title),
    }
    undo = Undo(f"{path_of(found)}/role", {"role": before}) if before != wanted else None
    return page.go(path_of(found), told=told, undo=undo)


@router.post("/operators/{operator_id}/disable")
def disable(operator_id: RowId, page: Writing, session: SessionDep) -> Response:
    """Out everywhere at once; their tokens are dead with them."""
    found = operator_by_id(session, operator_id)
    with refusals_noted(page.runtime, page.actor, page.request):
        switch_off(session, found, by=page.signed)
    told = page.gettext("%(email)s is out, everywhere.") % {"email": found.email}
    return page.go(path_of(found), told=told, undo=Undo(f"{path_of(found)}/enable", {}))


@router.post("/operators/{operator_id}/enable")
def enable(operator_id: RowId, page: Writing, session: SessionDep, reason: Reason = "") -> Response:
    """In again, in the old role; a superadmin's takes a second person."""
    found = operator_by_id(session, operator_id)
    try:
        with refusals_noted(page.runtime, page.actor, page.request):
            switch_on(session, found, by=page.signed)
    except NotCovered:
        return _ask(page, session, found, "enable", reason, [])
    return page.go(path_of(found), told=page.gettext("%(email)s may sign in again.") % {"email": found.email})


@router.post("/operators/{operator_id}/sessions/end")
def end_sessions(operator_id: RowId, page: Writing, session: SessionDep) -> Response:
    """Signed out on every device; they may sign in again."""
    found = operator_by_id(session, operator_id)
    with refusals_noted(page.runtime, page.actor, page.request):
        ensure_other(page, found)
    end_everywhere(session, found, actor=page.actor)
    return page.go(path_of(found), told=page.gettext("%(email)s is signed out everywhere.") % {"email": found.email})


@router.post("/operators/{operator_id}/second-factor/reset")
def reset(operator_id: RowId, page: Writing, session: SessionDep) -> Response:
    """Phone and codes are lost: the next sign-in asks for neither, and sets up anew where everybody must."""
    found = operator_by_id(session, operator_id)
    with refusals_noted(page.runtime, page.actor, page.request):
        ensure_other(page, found)
    told = page.gettext("The second factor of %(email)s is gone; every session has ended.")
    if not reset_second_factor(session, found, actor=page.actor):
        told = page.gettext("%(email)s had no second factor; every session has ended.")
    return page.go(path_of(found), told=told % {"email": found.email})


def _ask(
    page: Page, session: SessionDep, operator: Operator, what: str, reason: str, fields: list[tuple[str, str]]
) -> Response:
    return ask_second_person(
        page,
        session,
        GRANT_SUPERADMIN,
        granting(operator),
        why=reason,
        path=f"{path_of(operator)}/{what}",
        fields=fields,
    )
