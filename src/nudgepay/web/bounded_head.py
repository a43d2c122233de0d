"""Uvicorn's fast HTTP/1.1 protocol with a bound that its parser lacks: on everything that is no body."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 1024
"""Bytes of request line, headers, chunk framing and trailers in one request."""


class BoundedHead(HttpToolsProtocol):
    """Answers 400 and closes as soon as a request's head outgrows the bound, finished or not."""

    _unbounded = 0

    def data_received(self, data: bytes) -> None:
        """Count what came; bodies are taken off again as they are recognised."""
        self._unbounded += len(data)
        super().data_received(data)
        if self._unbounded > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response("The request's head is too large.")

    def on_message_begin(self) -> None:
        """The next request on a kept connection starts anew."""
        self._unbounded = 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """A body has its own bounds, by route."""
        self._unbounded -= len(body)
        super().on_body(body)
