"""Before the application is there: alive at once, not ready yet, and every other request waits for it.

Imports nothing that is slow to import: this is what answers while the rest is being loaded.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Site = Callable[[], AbstractContextManager[ASGIApp]]
"""Builds the application when it is entered, and gives everything back when it is left."""

WAIT_SECONDS = 7.0
"""How long a request waits for the application: less than an ending server waits for its open requests."""
STOP_SECONDS = 5.0
"""How long an end that comes during loading waits for it, so that what was opened is closed again."""
HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"x-robots-tag", b"noindex, nofollow"),
)
ALIVE = {"status": "alive"}
STARTING = {"status": "not ready", "reasons": ["starting"]}


class Opening:
    """ASGI application that loads another in a thread of its own and then hands everything over to it."""

    def __init__(self, site: Site, *, give_up: Callable[[], None]) -> None:
        """`give_up` is called when loading failed; `failure` says why."""
        self.failure: BaseException | None = None
        self._app: ASGIApp | None = None
        self._site = site
        self._give_up = give_up
        self._opened = ExitStack()
        self._settled = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over; or answer, or wait."""
        app = self._app
        if app is not None:
            await app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self._meanwhile(scope, receive, send)

    def close(self) -> None:
        """Leave the site, when it was entered."""
        self._opened.close()

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})  # the server listens from here on
        leaving = asyncio.ensure_future(receive())
        try:
            loading = _in_thread(lambda: self._opened.enter_context(self._site()))
            either: set[asyncio.Future[Any]] = {loading, leaving}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                await asyncio.wait({loading}, timeout=STOP_SECONDS)
            if loading.done():
                await self._hand_over(loading.result(), scope, leaving, send)
        except BaseException as error:
            if self._app is not None:
                raise
            self.failure = error
            self._give_up()
        finally:
            leaving.cancel()
            self._settled.set()

    async def _hand_over(self, app: ASGIApp, scope: Scope, leaving: "asyncio.Future[Message]", send: Send) -> None:
        """The application lives its own life: started now, told of the end when it comes."""
        has_begun = False

        async def told() -> Message:
            nonlocal has_begun
            if has_begun:
                return await leaving
            has_begun = True
            return {"type": "lifespan.startup"}

        async def said(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._app = app
                self._settled.set()
            elif message["type"].startswith("lifespan.shutdown"):
                await send(message)

        await app(scope, told, said)
        if self._app is None:
            raise RuntimeError("the application has ended without having started")

    async def _meanwhile(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in {"GET", "HEAD"} and scope["path"] == "/livez":
            await _answer(send, 200, ALIVE)
            return
        if scope["method"] in {"GET", "HEAD"} and scope["path"] in {"/readyz", "/healthz"}:
            await _answer(send, 503, STARTING)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), WAIT_SECONDS)
        if self._app is None:
            await _answer(send, 503, STARTING, (b"retry-after", b"5"))
        else:
            await self._app(scope, receive, send)


def _in_thread(load: Callable[[], ASGIApp]) -> "asyncio.Future[ASGIApp]":
    """Like `asyncio.to_thread`, but the end of the process does not wait for it."""
    loaded: Future[ASGIApp] = Future()

    def run() -> None:
        try:
            loaded.set_result(load())
        except BaseException as error:  # noqa: BLE001  # raised again where the future is read
            loaded.set_exception(error)

    threading.Thread(target=run, name="loading", daemon=True).start()
    return asyncio.wrap_future(loaded)


async def _answer(send: Send, status: int, document: object, *more: tuple[bytes, bytes]) -> None:
    body = json.dumps(document, separators=(",", ":")).encode()
    length = (b"content-length", str(len(body)).encode())
    headers = [(b"content-type", b"application/json"), length, *HEADERS, *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
