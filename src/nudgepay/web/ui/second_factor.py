"""`/account/second-factor`, `/account/recovery-codes`: an authenticator app, and the codes for the day it is lost.

A new secret lies in a signed cookie of the browser that will show it until a first code proves that the app has it;
what is given up halfway leaves nothing behind.
"""

from http import HTTPStatus
from typing import Annotated

import segno
from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse, Response

from nudgepay import clock
from nudgepay.access import recovery_codes, totp
from nudgepay.access.permissions import Permission
from nudgepay.access.sessions import end_sessions_of, renew_session
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.cookies import Cookies
from nudgepay.web.ui.page import NotAllowed, Page, allowed
from nudgepay.web.ui.problems import Problems
from nudgepay.web.ui.proving import keep
from nudgepay.web.ui.words import N_

router = APIRouter()
PATH, CODES = "/account/second-factor", "/account/recovery-codes"
ENROL_SECONDS = 900
WRONG_CODE = N_("The app should show another code now. Look at the phone's clock, then try the next one.")
EnrolPage = Annotated[Page, allowed(Permission.ACCOUNT_WRITE, fresh=True, unenrolled=True)]
FactorPage = Annotated[Page, allowed(Permission.ACCOUNT_WRITE, fresh=True)]
Code = Annotated[str, Form(max_length=64)]


@router.get(PATH, response_class=HTMLResponse)
def show(page: EnrolPage) -> Response:
    """The QR code of a new secret, the same one as long as it is not used."""
    return _show(page, _pending(page) or totp.new_secret())


@router.post(PATH, response_class=HTMLResponse)
def confirm(page: EnrolPage, session: SessionDep, code: Code = "") -> Response:
    """The app has the secret: from now on it is asked for. Every other session ends, this one gets a new id."""
    secret = _pending(page)
    if secret is None:
        return page.go(PATH, told=page.gettext("That took too long. Here is a new code for your app."), bad=True)
    steps = totp.matching_steps(secret, code, now=clock.now())
    if not steps:
        problem = Problems(code=page.gettext(WRONG_CODE))
        return _show(page, secret, problem, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    operator_id = page.signed.operator_id
    totp.enrol(session, operator_id, secret, step=steps[-1], actor=page.actor)
    end_sessions_of(session, operator_id, but=page.signed.session_id)
    codes = recovery_codes.make_anew(session, operator_id, actor=page.actor)
    token = renew_session(session, page.signed.session_id)
    response = page.renewed(token).show("account/codes.html", codes=codes, is_new=True)
    keep(page, response, token)
    Cookies.of(page.runtime.settings).drop(response, "enrol")
    return response


@router.get(f"{PATH}/remove", response_class=HTMLResponse)
def ask_to_remove(page: FactorPage) -> Response:
    """What it means to do without."""
    return page.show("account/remove.html")


@router.post(f"{PATH}/remove")
def remove(page: FactorPage, session: SessionDep) -> Response:
    """The password alone is enough again. Raises NotAllowed where everybody must have a second factor."""
    if page.runtime.settings.requires_second_factor:
        raise NotAllowed("everybody must have a second factor here; you can move yours to another app")
    totp.forget(session, page.signed.operator_id, actor=page.actor)
    recovery_codes.forget(session, page.signed.operator_id)
    return page.go("/account", told=page.gettext("Your password alone lets you in from now on."))


@router.get(CODES, response_class=HTMLResponse)
def ask_for_codes(page: FactorPage, session: ReadSessionDep) -> Response:
    """How many are left, and what new ones mean."""
    if not page.signed.has_second_factor:
        return page.go(PATH)
    return page.show("account/new_codes.html", left=recovery_codes.count_left(session, page.signed.operator_id))


@router.post(CODES, response_class=HTMLResponse)
def make_codes(page: FactorPage, session: SessionDep) -> Response:
    """Ten new ones, shown once; the old ones are worth nothing."""
    if not page.signed.has_second_factor:
        return page.go(PATH)
    codes = recovery_codes.make_anew(session, page.signed.operator_id, actor=page.actor)
    return page.show("account/codes.html", codes=codes, is_new=False)


def _pending(page: Page) -> str | None:
    found = Cookies.of(page.runtime.settings).get_signed(page.request, "enrol", seconds=ENROL_SECONDS)
    is_mine = isinstance(found, dict) and found.get("operator") == page.signed.operator_id
    return str(found["secret"]) if is_mine else None


def _show(page: Page, secret: str, problems: Problems | None = None, *, status: int = HTTPStatus.OK) -> Response:
    business = page.runtime.settings.business_name
    uri = totp.provisioning_uri(secret, email=page.signed.email, business=business)
    picture = segno.make(uri, error="m").svg_data_uri(scale=4, border=2, dark="#111", light="#fff")
    grouped = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    values = {"picture": picture, "secret": grouped, "uri": uri, "problems": problems or Problems()}
    response = page.show("account/second_factor.html", status=status, **values)
    value = {"operator": page.signed.operator_id, "secret": secret}
    Cookies.of(page.runtime.settings).put_signed(response, "enrol", value, seconds=ENROL_SECONDS)
    return response
