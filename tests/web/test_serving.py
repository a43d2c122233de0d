"""What only a listening server shows: bytes on the wire, bounds on what is no body, the kept connection."""

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from nudgepay.runtime import Runtime
from nudgepay.web.bounded_head import MAX_HEAD, BoundedHead
from nudgepay.web.serving import server_config

BODY = b'{"id": "evt_1"}'
CHUNKED = b"POST /webhooks/stripe HTTP/1.1\r\nHost: testserver\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def port(runtime: Runtime) -> Iterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(server_config(runtime, host="127.0.0.1", port=0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        threading.Event().wait(0.02)
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    listening.close()


def said(port: int, *parts: bytes) -> tuple[bytes, bool]:
    """Everything that is answered until the server closes, or falls silent for a second; and whether it closed."""
    answered = b""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            while received := connection.recv(65_536):
                answered += received
        except TimeoutError:
            return answered, False
        except ConnectionError:
            return answered, True
    return answered, True


def test_the_fast_protocol_is_the_one_that_listens(runtime: Runtime) -> None:
    config = server_config(runtime, host="127.0.0.1", port=0)
    config.load()
    assert config.http_protocol_class is BoundedHead
    assert config.get_loop_factory().__name__ == "new_event_loop"  # type: ignore[union-attr]
    assert "uvloop" in config.get_loop_factory().__module__  # type: ignore[union-attr]


def test_one_connection_carries_many_requests_and_each_has_a_bound_of_its_own(port: int) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: testserver\r\nX-Padding: " + b"x" * (MAX_HEAD // 2) + b"\r\n\r\n"
    assert said(port, *[head] * 5)[0].count(b"HTTP/1.1 200") == 5


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET /livez HTTP/1.1\r\nHost: testserver\r\nX-Padding: ", *[b"x" * 8_192] * 40],
        [b"GET /livez?", *[b"x" * 8_192] * 40],
        [b"GET /livez HTTP/1.1\r\nHost: testserver\r\n", *[b"X-Padding: yes\r\n" * 512] * 40],
        [CHUNKED, b"f\r\n" + BODY + b"\r\n0\r\n", *[b"X-Trailer: yes\r\n" * 512] * 40],
        [CHUNKED, *[b"1;" + b"x" * 8_192 + b"\r\n \r\n"] * 40],
    ],
    ids=["one header", "request line", "many headers", "trailers", "chunk extensions"],
)
def test_what_is_no_body_has_a_bound(port: int, parts: list[bytes]) -> None:
    answered, closed = said(port, *parts)
    assert closed
    assert b"HTTP/1.1 200" not in answered
    assert b"alive" in said(port, b"GET /livez HTTP/1.1\r\nHost: testserver\r\nConnection: close\r\n\r\n")[0]


def test_a_body_of_a_hundred_kilobytes_is_no_head(port: int) -> None:
    body = b"{" + b" " * 100_000
    head = (
        b"POST /webhooks/stripe HTTP/1.1\r\nHost: testserver\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        % len(body)
    )
    assert b"refused" in said(port, head, body)[0]
