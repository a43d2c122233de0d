"""The size, the parts and the time of a request's body are bounded before anything parses it."""

import asyncio
import re
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nudgepay.config import Settings
from nudgepay.web.errors import failure
from nudgepay.web.ui.page import signed_in

FORM_BYTES = 64 * 1024
"""A form of a payer or an operator."""
MACHINE_BYTES = 1024 * 1024
"""An event of a provider."""
UPLOAD_BYTES = 20 * 1024 * 1024
"""A file of rows that a signed-in operator sends; nobody else's body is read so far."""
DOCUMENT_BYTES = 2 * 1024 * 1024 + FORM_BYTES
"""A form with one invoice's own PDF."""
SECONDS = 10.0
UPLOAD_SECONDS = 120.0
MOST_FIELDS = 2_000
MOST_PARTS = 50
UPLOADS = (
    (re.compile(r"/import|/payments/statements"), UPLOAD_BYTES),
    (re.compile(r"/invoices/\d+/document"), DOCUMENT_BYTES),
)
_BOUNDARY = re.compile(r'boundary="?([^";,]{1,70})')
MACHINES = ("/webhooks/", "/internal/", "/api/")


class BoundedBody:
    """ASGI middleware: 413 beyond the limit of bytes, 408 beyond the limit of time, 415 for a compressed body."""

    def __init__(self, app: ASGIApp, *, settings: Settings, seconds: float = SECONDS) -> None:
        """`seconds`: how long a body may take to arrive."""
        self._app = app
        self._settings = settings
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body whole, within its bounds, then hand it on as one message."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        kind = headers.get("content-type", "").lower()
        limit, seconds = await self._bounds(scope, headers, kind)
        body: bytes | HTTPStatus
        if headers.get("content-encoding", "identity").lower() != "identity":
            body = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        elif _announced(headers) > limit:
            body = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        else:
            body = await self._read(receive, limit, seconds)
        if isinstance(body, bytes) and _has_too_many_parts(body, headers.get("content-type", "")):
            body = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if isinstance(body, HTTPStatus):
            await failure(scope, self._settings, body, headers={"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    async def _bounds(self, scope: Scope, headers: Headers, kind: str) -> tuple[int, float]:
        """Bytes and seconds. Only whoever is signed in may send a file, and only where files are taken."""
        if scope["path"].startswith(MACHINES):
            return MACHINE_BYTES, self._seconds
        is_large = "content-length" not in headers or _announced(headers) > FORM_BYTES
        most = next((limit for path, limit in UPLOADS if path.fullmatch(scope["path"])), None)
        if most is not None and kind.startswith("multipart/form-data") and is_large:
            request = Request(scope)
            if await run_in_threadpool(signed_in, request, request.app.state.runtime) is not None:
                return most, max(self._seconds, UPLOAD_SECONDS)
        return FORM_BYTES, self._seconds

    async def _read(self, receive: Receive, limit: int, seconds: float) -> bytes | HTTPStatus:
        body = bytearray()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return HTTPStatus.BAD_REQUEST
                    body += message.get("body", b"")
                    if len(body) > limit:
                        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            return HTTPStatus.REQUEST_TIMEOUT


def _announced(headers: Headers) -> int:
    text = headers.get("content-length", "0")
    return int(text[:20]) if text.isdigit() else 0


def _has_too_many_parts(body: bytes, kind: str) -> bool:
    """Counts without parsing: a form's fields by their separators, a file's parts by their boundary."""
    if kind.lower().startswith("application/x-www-form-urlencoded"):
        return body.count(b"&") >= MOST_FIELDS
    found = _BOUNDARY.search(kind)
    return found is not None and body.count(b"--" + found[1].encode()) > MOST_PARTS


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again
