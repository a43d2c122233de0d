"""Every failure as a person or a machine can read it: no trace, no path, nothing of the inside."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers, QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Scope

from nudgepay import log
from nudgepay.config import Settings
from nudgepay.errors import NudgePayError, OperationalError
from nudgepay.web.bearer import TokenRefused
from nudgepay.web.misses import TooManyUnknownLinks
from nudgepay.web.rendering import render
from nudgepay.web.ui.failing import failure_page
from nudgepay.web.ui.next_page import login_path, proof_path
from nudgepay.web.ui.page import ProofNeeded, SecondFactorNeeded, SignedOut
from nudgepay.web.words import preferred_language, words

RETRY_SECONDS = "5"
PAYERS = ("/p/", "/u/", "/s/", "/d/")
MACHINES = ("/webhooks/", "/internal/", "/api/", "/livez", "/readyz", "/healthz")
SHOWN = frozenset({400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 500, 503})
WITH_ID = frozenset({500, 503})
"""Statuses whose page names the request's id; an unknown link's page is the same for every link."""
logger = log.get("web")


def failure(
    scope: Scope, settings: Settings, status: int, *, headers: dict[str, str] | None = None, message: str = ""
) -> Response:
    """The answer for a status: a page for people, one line of JSON for machines.

    `message` names the cause and the cure; operators read it, payers do not.
    """
    shown = int(status) if status in SHOWN else (500 if status >= 500 else 400)
    request_id = scope.get("state", {}).get("request_id", "")
    if not _wants_page(scope):
        content = {"error": HTTPStatus(shown).phrase.lower(), "request_id": request_id}
        return JSONResponse(content, status_code=status, headers=headers)
    if not scope["path"].startswith(PAYERS):
        page = failure_page(scope, status, request_id=request_id if shown in WITH_ID else "", message=message)
        return HTMLResponse(page, status_code=status, headers=headers)
    request_headers = Headers(scope=scope)
    language = preferred_language(
        QueryParams(scope["query_string"]).get("lang"),
        request_headers.get("accept-language", ""),
        settings.business_locale,
    )
    page = render(
        "error.html",
        t=words(language),
        business=settings.business_name,
        status=shown,
        request_id=request_id if shown in WITH_ID else "",
    )
    return HTMLResponse(page, status_code=status, headers=headers)


def _wants_page(scope: Scope) -> bool:
    path = scope["path"]
    if path.startswith(PAYERS):
        return True
    return not path.startswith(MACHINES) and "text/html" in Headers(scope=scope).get("accept", "")


def add_error_handlers(app: FastAPI, settings: Settings) -> None:
    """One handler for each family of errors; what is none of them is a bug, and the middleware answers for it."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, NudgePayError)
        headers = {}
        if isinstance(error, TokenRefused):
            content = {"error": HTTPStatus(error.status).phrase.lower(), "detail": str(error)}
            return JSONResponse(content, error.status, headers=dict(error.headers))
        if isinstance(error, TooManyUnknownLinks):
            headers["Retry-After"] = str(error.retry_after)
        elif isinstance(error, OperationalError):
            logger.warning("request.unavailable", cause=type(error).__name__)
            headers["Retry-After"] = RETRY_SECONDS
        return failure(request.scope, settings, error.status, headers=headers, message=str(error))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return failure(request.scope, settings, error.status_code, headers=dict(error.headers or {}))

    async def invalid(request: Request, _: Exception) -> Response:
        return failure(request.scope, settings, 422)

    app.add_exception_handler(SignedOut, _to_sign_in)
    app.add_exception_handler(ProofNeeded, _to_proof)
    app.add_exception_handler(SecondFactorNeeded, _to_enrolment)
    app.add_exception_handler(NudgePayError, refused)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)


async def _to_sign_in(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignedOut)
    return _to_door(request, login_path(error.path), {"error": "unauthorized"})


async def _to_proof(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProofNeeded)
    return _to_door(request, proof_path(error.path), {"error": "unauthorized", "code": "proof_needed"})


async def _to_enrolment(request: Request, error: Exception) -> Response:
    assert isinstance(error, SecondFactorNeeded)
    content = {"error": "forbidden", "code": "second_factor_needed"}
    return _to_door(request, "/account/second-factor", content, status=HTTPStatus.FORBIDDEN)


def _to_door(
    request: Request, path: str, content: dict[str, str], *, status: HTTPStatus = HTTPStatus.UNAUTHORIZED
) -> Response:
    if "hx-request" in request.headers:
        return Response(status_code=status, headers={"HX-Redirect": path})
    if _wants_page(request.scope):
        return RedirectResponse(path, HTTPStatus.SEE_OTHER)
    return JSONResponse(content, status)
