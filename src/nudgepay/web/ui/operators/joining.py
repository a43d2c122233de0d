"""`/join/{token}`: who was invited chooses a password. Looking changes nothing, so a scanner uses nothing up."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from nudgepay.access.invitations import UnknownInvitation, accept_invitation, invited
from nudgepay.access.passwords import SHORTEST, PasswordRefused
from nudgepay.runtime import Runtime
from nudgepay.web.client_address import client_address
from nudgepay.web.deps import ReadSessionDep, RuntimeDep, SessionDep
from nudgepay.web.misses import Misses
from nudgepay.web.ui.csrf import FROM_US, ForeignForm
from nudgepay.web.ui.password_words import ADVICE
from nudgepay.web.ui.rendering import environment_for
from nudgepay.web.ui.words import N_, language_of

router = APIRouter()
PATH = "/join/{token}"
DIFFERENT = N_("The two are not the same.")
UNFIT = N_("Choose one of %(count)d to 1024 characters.")
EASY = N_("This is too easy to guess.")
Password = Annotated[str, Form(max_length=2000)]


@router.get(PATH, response_class=HTMLResponse)
def join(token: str, request: Request, runtime: RuntimeDep, session: ReadSessionDep) -> Response:
    """The form, for whom it is."""
    with _guesses_counted(request, runtime):
        email = invited(session, token).email
    return _form(request, runtime, token, email)


@router.post(PATH, response_class=HTMLResponse)
def choose(
    token: str,
    request: Request,
    runtime: RuntimeDep,
    session: SessionDep,
    password: Password = "",
    again: Password = "",
) -> Response:
    """The password; then one signs in with it like anybody else. A form of another site is not taken."""
    if request.headers.get("Sec-Fetch-Site", "none") not in FROM_US:
        raise ForeignForm("this form was sent from another site")
    with _guesses_counted(request, runtime):
        email = invited(session, token).email
    if password != again:
        return _form(request, runtime, token, email, problem=DIFFERENT)
    try:
        accept_invitation(session, token, password, known=[email, runtime.settings.business_name])
    except PasswordRefused as refusal:
        problem = EASY if refusal.code == "weak" else UNFIT
        return _form(request, runtime, token, email, problem=problem, advice=refusal.advice)
    return RedirectResponse("/login", HTTPStatus.SEE_OTHER)


@contextmanager
def _guesses_counted(request: Request, runtime: Runtime) -> Iterator[None]:
    misses: Misses = request.app.state.misses
    address = client_address(request.scope, runtime.settings.trusted_proxies)
    misses.ensure_may_ask(address)
    try:
        yield
    except UnknownInvitation:
        misses.record(address)
        raise


def _form(
    request: Request, runtime: Runtime, token: str, email: str, *, problem: str = "", advice: Sequence[str] = ()
) -> Response:
    language = language_of(None, request.headers.get("accept-language", ""))
    template = environment_for(language).get_template("operators/join.html")
    content = template.render(
        language=language,
        business=runtime.settings.business_name,
        token=token,
        email=email,
        shortest=SHORTEST,
        problem=problem,
        advice=[ADVICE[code] for code in advice],
    )
    return HTMLResponse(content, HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK)
