"""Around every request: an id, one log line, one count; the host that was asked for; the last net for bugs."""

import re
import uuid
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nudgepay import clock, log, metrics
from nudgepay.audit import acting_from
from nudgepay.audit.recording import bounded
from nudgepay.config import Settings
from nudgepay.web.client_address import client_address
from nudgepay.web.errors import failure
from nudgepay.web.headers import SecurityHeaders
from nudgepay.web.request_body import BoundedBody

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
PROBES = frozenset({"/livez", "/readyz", "/healthz"})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
NO_ROUTE = "__none__"
LONGEST_AGENT = 200
logger = log.get("web")


def add_middleware(app: FastAPI, settings: Settings) -> None:
    """From the outside in: headers, the record of the request, the host, the body."""
    app.add_middleware(BoundedBody, settings=settings)
    app.add_middleware(KnownHost, settings=settings)
    app.add_middleware(Recorded, settings=settings)
    app.add_middleware(SecurityHeaders, settings=settings)


class Recorded:
    """Gives the request its id, logs and counts it by its route's template, and answers for bugs."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        """The settings choose the language of an error page."""
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A bug becomes a page without a trace; the log has the trace under the same id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = clock.monotonic(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        origin = origin_of(scope, self._settings)
        with structlog.contextvars.bound_contextvars(request_id=request_id), acting_from(origin):
            try:
                await self._app(scope, receive, counted)
            except Exception:
                logger.exception("request.broke", route=route_of(scope))
                if status:
                    raise
                answer = failure(scope, self._settings, HTTPStatus.INTERNAL_SERVER_ERROR)
                await answer(scope, receive, counted)
            finally:
                self._record(scope, status, clock.monotonic() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        route = route_of(scope)
        metrics.http_requests.labels(method=method, route=route, status=str(status)).inc()
        metrics.http_request_seconds.labels(method=method, route=route).observe(seconds)
        logger.info("request", method=method, route=route, status=status, milliseconds=round(seconds * 1000, 1))


def origin_of(scope: Scope, settings: Settings) -> str:
    """Where a request comes from, for the audit log: the address, and what the browser says it is, shortened."""
    agent = bounded(Headers(scope=scope).get("user-agent", ""), LONGEST_AGENT)
    return f"web:{client_address(scope, settings.trusted_proxies)} {agent}".rstrip()


def route_of(scope: Scope) -> str:
    """The template of the route that answered, never the path itself."""
    return getattr(scope.get("route"), "path", None) or NO_ROUTE


class KnownHost:
    """Answers only for the hosts of BASE_URL and ALLOWED_HOSTS (and loopback in development and test)."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        """Names are compared without case and port."""
        self._app = app
        self._settings = settings
        named = {part.strip().lower() for part in settings.allowed_hosts.split(",") if part.strip()}
        own = {urlsplit(settings.base_url).hostname or ""}
        local = LOOPBACK if settings.environment in {"development", "test"} else frozenset()
        self._known = frozenset(named | own | local) - {""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """400 for any other host; probes name whatever their balancer names."""
        if scope["type"] == "http" and scope["path"] not in PROBES and not self._is_known(scope):
            await failure(scope, self._settings, HTTPStatus.BAD_REQUEST)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_known(self, scope: Scope) -> bool:
        hosts = Headers(scope=scope).getlist("host")
        return len(hosts) == 1 and _hostname(hosts[0]) in self._known


def _hostname(value: str) -> str | None:
    try:
        parts = urlsplit(f"//{value}")
        return None if parts.username or parts.path or parts.query else parts.hostname
    except ValueError:
        return None
