"""`/login`, `/logout`, `/session/refresh`: in, out, and what one may do."""

import secrets
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from nudgepay import audit
from nudgepay.access.operators import operator_with_password
from nudgepay.access.permissions import PERMISSIONS, Permission
from nudgepay.access.sessions import end_session, start_session
from nudgepay.runtime import Runtime
from nudgepay.web.deps import RuntimeDep, SessionDep
from nudgepay.web.ui.cookies import BEFORE_SIGN_IN_SECONDS, Cookies
from nudgepay.web.ui.csrf import ForeignForm, ensure_own_form, token_for
from nudgepay.web.ui.next_page import own_path
from nudgepay.web.ui.page import Page, allowed, signed_in
from nudgepay.web.ui.rendering import environment_for
from nudgepay.web.ui.words import N_, language_of

router = APIRouter()
WRONG = N_("Invalid credentials")
TOO_OLD = N_("This page was open for too long. Please try again.")


@router.get("/login", response_class=HTMLResponse)
def login(request: Request, runtime: RuntimeDep) -> Response:
    """The form; who is signed in already goes on."""
    wanted = own_path(request.query_params.get("next", "/"))
    if signed_in(request, runtime) is not None:
        return RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
    return _form(request, runtime, wanted=wanted)


async def _is_own_form(request: Request) -> bool:
    runtime: Runtime = request.app.state.runtime
    before = Cookies.of(runtime.settings).get_signed(request, "before", seconds=BEFORE_SIGN_IN_SECONDS)
    expected = token_for(runtime.settings, before) if isinstance(before, str) else secrets.token_hex()
    try:
        await ensure_own_form(request, expected)
    except ForeignForm:
        return False
    return True


@router.post("/login", response_class=HTMLResponse)
def sign_in(
    request: Request,
    runtime: RuntimeDep,
    session: SessionDep,
    is_own: Annotated[bool, Depends(_is_own_form)],
    email: Annotated[str, Form(max_length=320)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # the field's name
) -> Response:
    """A new session. A wrong password and an unknown address get the same answer, after the same time."""
    wanted = own_path(next)
    if not is_own:
        return _form(request, runtime, wanted=wanted, status=HTTPStatus.FORBIDDEN, problem=TOO_OLD, email=email)
    operator = operator_with_password(session, email, password)
    if operator is None:
        return _form(request, runtime, wanted=wanted, status=HTTPStatus.UNAUTHORIZED, problem=WRONG, email=email)
    cookies = Cookies.of(runtime.settings)
    hours = runtime.settings.session_absolute_hours
    token = start_session(session, operator.id, hours=hours)
    audit.record(session, actor=f"operator:{operator.id}", action="session.start", subject=f"operators:{operator.id}")
    response = RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
    cookies.put(response, "session", token, seconds=hours * 3600)
    cookies.drop(response, "before")
    return response


@router.post("/logout")
def sign_out(page: Annotated[Page, allowed(Permission.ACCOUNT_WRITE)], session: SessionDep) -> Response:
    """End the session for good."""
    end_session(session, page.signed.session_id)
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    Cookies.of(page.runtime.settings).drop(response, "session")
    return response


@router.post("/session/refresh")
def refresh(page: Annotated[Page, allowed(Permission.ACCOUNT_WRITE)]) -> Response:
    """Who I am and what I may do, as of this request."""
    role = page.signed.role
    return JSONResponse({"role": role, "permissions": sorted(PERMISSIONS[role])})


def _form(
    request: Request, runtime: Runtime, *, wanted: str, status: int = 200, problem: str = "", email: str = ""
) -> Response:
    cookies = Cookies.of(runtime.settings)
    known = cookies.get_signed(request, "before", seconds=BEFORE_SIGN_IN_SECONDS)
    before = known if isinstance(known, str) else secrets.token_urlsafe(24)
    language = language_of(None, request.headers.get("accept-language", ""))
    template = environment_for(language).get_template("signing_in/login.html")
    content = template.render(
        language=language,
        business=runtime.settings.business_name,
        csrf_token=token_for(runtime.settings, before),
        wanted=wanted,
        problem=problem,
        email=email[:320],
    )
    response = HTMLResponse(content, status_code=status)
    cookies.put_signed(response, "before", before, seconds=BEFORE_SIGN_IN_SECONDS)
    return response
