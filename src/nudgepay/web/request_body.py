"""The size and the time of a request's body are bounded before anything parses it."""

import asyncio
import re
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nudgepay.config import Settings
from nudgepay.web.errors import failure

FORM_BYTES = 64 * 1024
"""A form of a payer or an operator."""
MACHINE_BYTES = 1024 * 1024
"""An event of a provider."""
FILE_BYTES = 2 * 1024 * 1024 + FORM_BYTES
"""A form with one file of at most 2 MB."""
FILES = re.compile(r"/invoices/\d+/document")
SECONDS = 10.0
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
        limit = _limit(scope["path"])
        headers = Headers(scope=scope)
        body: bytes | HTTPStatus
        if headers.get("content-encoding", "identity").lower() != "identity":
            body = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        elif headers.get("content-length", "0").isdigit() and int(headers.get("content-length", "0")[:20]) > limit:
            body = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        else:
            body = await self._read(receive, limit)
        if isinstance(body, HTTPStatus):
            await failure(scope, self._settings, body, headers={"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    async def _read(self, receive: Receive, limit: int) -> bytes | HTTPStatus:
        body = bytearray()
        try:
            async with asyncio.timeout(self._seconds):
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


def _limit(path: str) -> int:
    if FILES.fullmatch(path):
        return FILE_BYTES
    return MACHINE_BYTES if path.startswith(MACHINES) else FORM_BYTES


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again
