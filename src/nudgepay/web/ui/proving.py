"""`/account/prove`: once more who one is, before what is sensitive."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse, RedirectResponse, Response

from nudgepay import audit
from nudgepay.access.operators import operator_with_password
from nudgepay.access.permissions import Permission
from nudgepay.access.sessions import renew_session
from nudgepay.web.deps import SessionDep
from nudgepay.web.ui.cookies import Cookies
from nudgepay.web.ui.next_page import own_path
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.words import N_

router = APIRouter()
PATH = "/account/prove"
WRONG = N_("That is not your password.")
AccountPage = Annotated[Page, allowed(Permission.ACCOUNT_WRITE)]


@router.get(PATH, response_class=HTMLResponse)
def ask(page: AccountPage) -> Response:
    """The form."""
    return _form(page, wanted=own_path(page.request.query_params.get("next", "/")))


@router.post(PATH, response_class=HTMLResponse)
def prove(
    page: AccountPage,
    session: SessionDep,
    password: Annotated[str, Form(max_length=1024)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # the field's name
) -> Response:
    """The session goes on under a new id, so that one that was stolen before does not."""
    wanted = own_path(next)
    if operator_with_password(session, page.signed.email, password) is None:
        return _form(page, wanted=wanted, problem=page.gettext(WRONG), status=HTTPStatus.UNAUTHORIZED)
    settings = page.runtime.settings
    token = renew_session(session, page.signed.session_id)
    audit.record(session, actor=page.actor, action="session.prove", subject=f"operators:{page.signed.operator_id}")
    response = RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
    Cookies.of(settings).put(response, "session", token, seconds=settings.session_absolute_hours * 3600)
    return response


def _form(page: Page, *, wanted: str, problem: str = "", status: int = HTTPStatus.OK) -> Response:
    return page.show("signing_in/prove.html", wanted=wanted, problem=problem, status=status)
