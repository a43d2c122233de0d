"""`/login`, `/logout`, `/session/refresh`: in, out, and what one may do."""

import secrets
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from nudgepay import audit
from nudgepay.access.models import Operator
from nudgepay.access.permissions import PERMISSIONS, Permission
from nudgepay.access.sessions import end_session
from nudgepay.access.sign_in import Outcome
from nudgepay.runtime import Runtime
from nudgepay.web.deps import RuntimeDep, SessionDep
from nudgepay.web.ui.beginning import Beginning, begin_session, let_in
from nudgepay.web.ui.cookies import BEFORE_SIGN_IN_SECONDS, Cookies
from nudgepay.web.ui.credentials import Verdict, judge
from nudgepay.web.ui.csrf import ForeignForm, ensure_own_form, token_for
from nudgepay.web.ui.next_page import own_path
from nudgepay.web.ui.page import Page, allowed, signed_in
from nudgepay.web.ui.rendering import environment_for
from nudgepay.web.ui.words import N_, language_of

router = APIRouter()
WRONG = N_("Invalid credentials")
WRONG_CODE = N_("Invalid authentication code")
TOO_OLD = N_("This page was open for too long. Please try again.")
CODE_SECONDS = 300
"""How long a right password waits for its code."""


@router.get("/login", response_class=HTMLResponse)
def login(request: Request, runtime: RuntimeDep) -> Response:
    """The form; who is signed in already goes on."""
    wanted = own_path(request.query_params.get("next", "/"))
    if signed_in(request, runtime) is not None:
        return RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
    return _show(request, runtime, "login", wanted=wanted)


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
    is_own: Annotated[bool, Depends(_is_own_form)],
    email: Annotated[str, Form(max_length=320)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
    code: Annotated[str, Form(max_length=64)] = "",
    step: Annotated[str, Form(max_length=10)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # the field's name
) -> Response:
    """A new session. Address, password and code may come in one form, or the code in a second one.

    A wrong password, an unknown address and a disabled operator get the same answer, after the same time.
    """
    wanted = own_path(next)
    cookies = Cookies.of(runtime.settings)
    vouched = _vouched(cookies, request) if step == "code" else None
    if not is_own or (step == "code" and vouched is None):
        status = HTTPStatus.FORBIDDEN
        return _show(request, runtime, "login", wanted=wanted, status=status, problem=TOO_OLD, email=email)
    given = vouched or {"email": email, "password": password}
    begun: list[Beginning] = []

    def begin(session: Session, operator: Operator) -> None:
        begun.append(begin_session(request, runtime, session, operator))

    verdict = judge(request, runtime, **given, code=code, then=begin)
    if verdict.outcome is Outcome.ACCEPTED:
        return let_in(runtime, begun[0], wanted)
    is_asked = step == "password" and verdict.outcome is Outcome.CODE_WANTED
    return _turn_down(request, runtime, verdict, wanted=wanted, email=given["email"] or "", is_asked=is_asked)


def _vouched(cookies: Cookies, request: Request) -> dict[str, Any] | None:
    found = cookies.get_signed(request, "code", seconds=CODE_SECONDS)
    if not isinstance(found, dict):
        return None
    return {"email": found["email"], "password": None, "vouched": found["seal"]}


def _turn_down(
    request: Request, runtime: Runtime, verdict: Verdict, *, wanted: str, email: str, is_asked: bool
) -> Response:
    if verdict.outcome is Outcome.BLOCKED:
        return blocked(request, runtime, verdict.retry_after)
    if verdict.outcome is Outcome.WRONG:
        status = HTTPStatus.UNAUTHORIZED
        return _show(request, runtime, "login", wanted=wanted, status=status, problem=WRONG, email=email)
    status, problem = (HTTPStatus.OK, "") if is_asked else (HTTPStatus.UNAUTHORIZED, WRONG_CODE)
    response = _show(request, runtime, "code", wanted=wanted, status=status, problem=problem)
    value = {"email": email, "seal": verdict.seal}
    Cookies.of(runtime.settings).put_signed(response, "code", value, seconds=CODE_SECONDS)
    return response


@router.post("/logout")
def sign_out(
    page: Annotated[Page, allowed(Permission.ACCOUNT_WRITE, unenrolled=True)], session: SessionDep
) -> Response:
    """End the session for good."""
    end_session(session, page.signed.session_id)
    audit.record(session, actor=page.actor, action="session.end", subject=f"operators:{page.signed.operator_id}")
    response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    Cookies.of(page.runtime.settings).drop(response, "session")
    return response


@router.post("/session/refresh")
def refresh(page: Annotated[Page, allowed(Permission.ACCOUNT_WRITE, unenrolled=True)]) -> Response:
    """Who I am and what I may do, as of this request."""
    role = page.signed.role
    return JSONResponse({"role": role, "permissions": sorted(PERMISSIONS[role])})


def blocked(request: Request, runtime: Runtime, retry_after: int) -> Response:
    """429, and when to try again."""
    status = HTTPStatus.TOO_MANY_REQUESTS
    response = _show(request, runtime, "blocked", wanted="/", status=status, minutes=-(-retry_after // 60))
    response.headers["Retry-After"] = str(retry_after)
    return response


def _show(
    request: Request, runtime: Runtime, template: str, *, wanted: str, status: int = 200, **values: Any
) -> Response:
    cookies = Cookies.of(runtime.settings)
    known = cookies.get_signed(request, "before", seconds=BEFORE_SIGN_IN_SECONDS)
    before = known if isinstance(known, str) else secrets.token_urlsafe(24)
    language = language_of(None, request.headers.get("accept-language", ""))
    content = (
        environment_for(language)
        .get_template(f"signing_in/{template}.html")
        .render(
            language=language,
            business=runtime.settings.business_name,
            csrf_token=token_for(runtime.settings, before),
            wanted=wanted,
            **({"problem": "", "email": ""} | values),
        )
    )
    response = HTMLResponse(content, status_code=status)
    cookies.put_signed(response, "before", before, seconds=BEFORE_SIGN_IN_SECONDS)
    return response
