"""`/account/password`: one's own password. The old one is asked for; everywhere else one is signed out."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.models import Operator
from nudgepay.access.operators import change_password
from nudgepay.access.passwords import LONGEST_BYTES, SHORTEST, PasswordRefused, ensure_password
from nudgepay.access.permissions import Permission
from nudgepay.access.sessions import renew_session
from nudgepay.access.sign_in import Outcome
from nudgepay.web.ui.cookies import Cookies
from nudgepay.web.ui.credentials import judge
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.password_words import ADVICE
from nudgepay.web.ui.problems import Problems
from nudgepay.web.ui.proving import WRONG, keep
from nudgepay.web.ui.signing_in import blocked
from nudgepay.web.ui.words import N_

router = APIRouter()
PATH = "/account/password"
SHORT = N_("Choose at least %(count)s characters.")
LONG = N_("This is longer than %(count)s bytes; choose a shorter one.")
NOT_TWICE = N_("The two are not the same; write it again.")
SAME = N_("This is the one that you have.")
PasswordPage = Annotated[Page, allowed(Permission.ACCOUNT_WRITE, fresh=True)]
Password = Annotated[str, Form(max_length=1024)]


@router.get(PATH, response_class=HTMLResponse)
def ask(page: PasswordPage) -> Response:
    """The form."""
    return _form(page)


@router.post(PATH, response_class=HTMLResponse)
def change(page: PasswordPage, old: Password = "", new: Password = "", again: Password = "") -> Response:
    """Change it: this session goes on under a new id, every other one ends."""
    known = [page.signed.email, page.runtime.settings.business_name]
    problems = _judged(page, old, new, again, known)
    if problems:
        return _form(page, problems)
    made: list[str] = []

    def give(session: Session, operator: Operator) -> None:
        here = Cookies.of(page.runtime.settings).get(page.request, "device")
        mine = page.signed.session_id
        change_password(session, operator, new, actor=page.actor, known=known, but_session=mine, but_device=here)
        made.append(renew_session(session, mine))

    verdict = judge(page.request, page.runtime, email=page.signed.email, password=old, code=None, then=give)
    if verdict.outcome is Outcome.BLOCKED:
        return blocked(page.request, page.runtime, verdict.retry_after)
    if verdict.outcome is not Outcome.ACCEPTED:
        return _form(page, Problems(old=page.gettext(WRONG)))
    told = page.gettext("Your password is changed. Everywhere else you are signed out.")
    response = page.go("/account", told=told)
    keep(page, response, made[0])
    return response


def _judged(page: Page, old: str, new: str, again: str, known: list[str]) -> Problems:
    if new == old:
        return Problems(new=page.gettext(SAME))
    try:
        ensure_password(new, known=known)
    except PasswordRefused as refused:
        return Problems(new=_why(page, refused))
    return Problems(again=page.gettext(NOT_TWICE)) if new != again else Problems()


def _why(page: Page, refused: PasswordRefused) -> str:
    if refused.code == "short":
        return page.gettext(SHORT) % {"count": SHORTEST}
    if refused.code == "long":
        return page.gettext(LONG) % {"count": LONGEST_BYTES}
    return " ".join(page.gettext(ADVICE[code]) for code in refused.advice)


def _form(page: Page, problems: Problems | None = None) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    return page.show("account/password.html", problems=problems or Problems(), shortest=SHORTEST, status=status)
