"""Uvicorn's fast HTTP/1.1 protocol with bounds that it lacks: on the size and the time of all that is no body."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 1024
"""Bytes of request line, headers, chunk framing and trailers in one request."""
HEAD_SECONDS = 10.0
"""From the first byte of a head to its last, and from a connection to its first byte."""
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedHead(HttpToolsProtocol):
    """Answers 400 and closes as soon as a request's head outgrows its bound, finished or not; 408 when it is slow."""

    _unbounded = 0
    _awaits_head = True
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Whoever connects must say something."""
        super().connection_made(transport)
        self._start_clock()

    def data_received(self, data: bytes) -> None:
        """Count what came; bodies are taken off again as they are recognised. A whole head needs no clock."""
        self._unbounded += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._unbounded > MAX_HEAD:
            self.send_400_response("The request's head is too large.")
        elif self._awaits_head and (self.cycle is None or self.cycle.response_complete):
            self._start_clock()

    def on_message_begin(self) -> None:
        """The next request on a kept connection starts anew."""
        self._unbounded = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The body has a clock of its own, by route."""
        self._awaits_head = False
        self._stop_clock()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A body has its own bounds, by route."""
        self._unbounded -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """What comes now is another head."""
        self._awaits_head = True
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is left to wait for."""
        self._stop_clock()
        super().connection_lost(exc)

    def _start_clock(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._dismiss)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _dismiss(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(TOO_SLOW)
            self.transport.close()
