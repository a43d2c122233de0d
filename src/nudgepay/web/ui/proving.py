"""`/account/prove`: once more who one is, before what is sensitive."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse, Response

from nudgepay import audit
from nudgepay.access.models import Operator
from nudgepay.access.permissions import Permission
from nudgepay.access.sessions import renew_session
from nudgepay.access.sign_in import Outcome
from nudgepay.web.ui.cookies import Cookies
from nudgepay.web.ui.credentials import judge
from nudgepay.web.ui.next_page import own_path
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.problems import Problems
from nudgepay.web.ui.signing_in import WRONG_CODE, blocked
from nudgepay.web.ui.words import N_

router = APIRouter()
PATH = "/account/prove"
WRONG = N_("That is not your password.")
AccountPage = Annotated[Page, allowed(Permission.ACCOUNT_WRITE, unenrolled=True)]


@router.get(PATH, response_class=HTMLResponse)
def ask(page: AccountPage) -> Response:
    """The form."""
    return _form(page, wanted=own_path(page.request.query_params.get("next", "/")))


@router.post(PATH, response_class=HTMLResponse)
def prove(
    page: AccountPage,
    password: Annotated[str, Form(max_length=1024)] = "",
    code: Annotated[str, Form(max_length=64)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # the field's name
) -> Response:
    """The session goes on under a new id, so that one that was stolen before does not."""
    wanted, made = own_path(next), list[str]()

    def go_on(session: Session, operator: Operator) -> None:
        made.append(renew_session(session, page.signed.session_id))
        audit.record(session, actor=page.actor, action="session.prove", subject=f"operators:{operator.id}")

    verdict = judge(page.request, page.runtime, email=page.signed.email, password=password, code=code, then=go_on)
    if verdict.outcome is Outcome.BLOCKED:
        return blocked(page.request, page.runtime, verdict.retry_after)
    if verdict.outcome is Outcome.WRONG:
        return _form(page, wanted=wanted, problems=Problems(password=page.gettext(WRONG)))
    if verdict.outcome is not Outcome.ACCEPTED:
        return _form(page, wanted=wanted, problems=Problems(code=page.gettext(WRONG_CODE)))
    return carry_on(page, made[0], wanted)


def carry_on(page: Page, token: str, path: str) -> Response:
    """303, with the new id of the session."""
    response = RedirectResponse(path, HTTPStatus.SEE_OTHER)
    keep(page, response, token)
    return response


def keep(page: Page, response: Response, token: str) -> None:
    """The session's new id goes to the browser."""
    settings = page.runtime.settings
    Cookies.of(settings).put(response, "session", token, seconds=settings.session_absolute_hours * 3600)


def _form(page: Page, *, wanted: str, problems: Problems | None = None) -> Response:
    status = HTTPStatus.UNAUTHORIZED if problems else HTTPStatus.OK
    return page.show("signing_in/prove.html", wanted=wanted, problems=problems or Problems(), status=status)
