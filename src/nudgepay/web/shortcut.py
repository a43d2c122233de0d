"""One hot path past everything else: it caps, times and answers for itself."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Shortcut:
    """ASGI application around another: POSTs to one path go straight to its endpoint, past FastAPI itself."""

    def __init__(self, app: FastAPI, *, path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> None:
        """Every other request goes on to `app`."""
        self.app = app
        self._path = path
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "http" and scope["path"] == self._path and scope["method"] == "POST":
            response = await self._endpoint(Request(scope, receive))
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)
