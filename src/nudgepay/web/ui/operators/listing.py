"""`/operators` and `/operators/roles`: who works here, and what each role may."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.operator_lists import list_operators
from nudgepay.access.permissions import PERMISSIONS, Permission
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.role_words import GROUPS, ROLES, TABS

router = APIRouter()
Reading = Annotated[Page, allowed(Permission.OPERATOR_READ)]


@router.get("/operators", response_class=HTMLResponse)
def operators(page: Reading, session: ReadSessionDep) -> Response:
    """Everybody, those who may come in first."""
    return page.show("operators/list.html", tabs=TABS, rows=list_operators(session), roles=ROLES)


@router.get("/operators/roles", response_class=HTMLResponse)
def roles(page: Reading) -> Response:
    """Every role and every permission on one page."""
    return page.show("operators/roles.html", tabs=TABS, roles=ROLES, groups=GROUPS, held=PERMISSIONS)
