"""`/operators/new` and `/operators/{id}/invite`: a link by which somebody chooses a password, shown once."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse, Response

from nudgepay.access.invitations import HOURS, invite, invite_operator
from nudgepay.access.models import Operator
from nudgepay.access.operators import operator_by_id
from nudgepay.access.permissions import Permission, Role
from nudgepay.errors import Conflict, UsageError
from nudgepay.web.deps import SessionDep
from nudgepay.web.ui.operators.acting import ensure_other
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.refusals import refusals_noted
from nudgepay.web.ui.role_words import ROLES
from nudgepay.web.ui.row_ids import RowId

router = APIRouter()
Writing = Annotated[Page, allowed(Permission.OPERATOR_WRITE, fresh=True)]
OFFERED = tuple(role for role in Role if role is not Role.SUPERADMIN)
"""A superadmin is made of an operator, by two people."""


@router.get("/operators/new", response_class=HTMLResponse)
def form(page: Writing) -> Response:
    """An address and a role."""
    return _form(page)


@router.post("/operators/new", response_class=HTMLResponse)
def add(
    page: Writing,
    session: SessionDep,
    email: Annotated[str, Form(max_length=320)] = "",
    role: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """The operator and, this once, the link."""
    wanted = next((one for one in OFFERED if one == role), None)
    if wanted is None:
        return _form(page, email=email, problems={"role": page.gettext("Choose one of these roles.")})
    try:
        made, token = invite_operator(session, email=email, role=wanted, actor=page.actor)
    except UsageError:
        problem = page.gettext("This is not one e-mail address such as name@example.com.")
        return _form(page, email=email, role=role, problems={"email": problem})
    except Conflict:
        problem = page.gettext("Somebody with this address works here already.")
        return _form(page, email=email, role=role, problems={"email": problem}, status=HTTPStatus.CONFLICT)
    return _show_link(page, made, token)


@router.post("/operators/{operator_id}/invite", response_class=HTMLResponse)
def again(operator_id: RowId, page: Writing, session: SessionDep) -> Response:
    """A new link for somebody who lost the way in; an earlier one is dead."""
    operator = operator_by_id(session, operator_id)
    with refusals_noted(page.runtime, page.actor, page.request):
        ensure_other(page, operator)
    token = invite(session, operator, actor=page.actor)
    return _show_link(page, operator, token)


def _show_link(page: Page, operator: Operator, token: str) -> Response:
    link = f"{page.runtime.settings.base_url.rstrip('/')}/join/{token}"
    return page.show("operators/invited.html", operator=operator, link=link, hours=HOURS)


def _form(
    page: Page,
    *,
    email: str = "",
    role: str = Role.OPERATOR,
    problems: dict[str, str] | None = None,
    status: int = HTTPStatus.UNPROCESSABLE_ENTITY,
) -> Response:
    return page.show(
        "operators/new.html",
        status=status if problems else HTTPStatus.OK,
        email=email[:320],
        role=role,
        roles=[(str(one), ROLES[one]) for one in OFFERED],
        problems=problems or {},
        hours=HOURS,
    )
