"""Bodies and heads that no honest sender makes, over raw sockets against a process of its own (A9, A10)."""

import gzip
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nudgepay.config import Settings
from nudgepay.gateways.fakes.stripe.deliveries import signature
from web.conftest import CRON, SECRET
from web.served import Served, serving, status_of

HOOKS = ("/webhooks/stripe", "/webhooks/mail", "/internal/run-reminders")
MAIL = "whsec_" + "bWFpbC1zZWNyZXQtb2YtdGhlLXRlc3Rz"
SLOW_SECONDS = 10


@pytest.fixture
def served(settings: Settings, tmp_path: Path) -> Iterator[Served]:
    secrets = {"STRIPE_WEBHOOK_SECRET": SECRET, "MAIL_WEBHOOK_SECRET": MAIL, "CRON_HMAC_SECRET": CRON}
    with serving(settings, tmp_path / "served", **secrets) as process:
        for path in HOOKS:
            process.say(request(path, b"{}"))
        yield process


def request(path: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    declared = len(body) if length is None else length
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {declared}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(path: str, size: int) -> list[bytes]:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    return [head, *[chunk] * (size // 65_536), b"0\r\n\r\n"]


def event(tail: bytes) -> bytes:
    return b'{"id": "evt_1", "type": "ping", "x": ' + tail + b"}"


def signed(raw: bytes) -> bytes:
    return request("/webhooks/stripe", raw, f"Stripe-Signature: {signature(raw, SECRET, int(time.time()))}")


def test_bodies_without_measure_are_answered_at_once_and_cost_no_memory(
    served: Served, figures: Callable[..., None]
) -> None:
    before = served.rss_kilobytes()
    slowest = 0.0
    for path in (*HOOKS, "/p/" + "A" * 32 + "/pay"):
        fifty = [request(path, b"", length=50_000_000), *[b"x" * 65_536] * 800]
        for parts, allowed in (
            ([request(path, b"", length=50_000_000)], {413}),
            (fifty, {413, 0}),
            (chunked(path, 50_000_000), {413, 0}),
            ([request(path, b"x", length=10**30)], {413, 400}),
            ([request(path, b"x", "Content-Length: 7")], {400}),
            ([request(path, b"x", "Transfer-Encoding: chunked")], {400}),
        ):
            answered, seconds = served.say(*parts)
            assert status_of(answered) in allowed, (path, parts[0][:200], answered[:200])
            slowest = max(slowest, seconds)
    growth = served.rss_kilobytes() - before
    figures("bodies without measure", n=24, slowest_ms=round(slowest * 1000), rss_growth_kb=growth)
    assert slowest < 1
    assert growth < 50 * 1024


def test_a_compressed_body_is_refused_without_unpacking_it(served: Served) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    before = served.rss_kilobytes()
    for path in HOOKS:
        answered, seconds = served.say(request(path, bomb, "Content-Encoding: gzip"))
        assert (status_of(answered), seconds < 1) == (415, True)
    assert served.rss_kilobytes() - before < 10 * 1024


@pytest.mark.parametrize(
    ("tail", "status"),
    [
        (b"[" * 100_000 + b"]" * 100_000, 400),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, 400),
        (b"NaN", 400),
        (b"-Infinity", 400),
        (b"9" * 5_000, 400),
        (b'"\\ud800"', 400),
        (b'"\xed\xa0\x80"', 400),
        (b'"\\u0000"', 400),
        (b'"\x00"', 400),
        (b'1, "id": "evt_2", "id": 7', 400),
        (b'1, "id": "evt_2"', 200),
        (b'"' + b"y" * 200_000 + b'"', 200),
    ],
    ids=range(12),
)
def test_a_signed_body_of_a_strange_kind_is_answered_at_once(served: Served, tail: bytes, status: int) -> None:
    answered, seconds = served.say(signed(event(tail)))
    assert (status_of(answered), seconds < 1) == (status, True)


def test_who_sends_slowly_is_dismissed_and_holds_up_nobody(served: Served, figures: Callable[..., None]) -> None:
    head = request("/webhooks/stripe", b"", length=100)
    form = request("/p/" + "A" * 32 + "/paid", b"", length=100)
    cron = request("/internal/run-reminders", b"", length=100)
    with ThreadPoolExecutor(40) as pool:
        slow = [pool.submit(drip, served.port, start) for start in (head, form, cron) for _ in range(12)]
        time.sleep(1)
        meanwhile = [served.say(signed(event(str(n).encode()))) for n in range(20)]
        ended = [one.result() for one in slow]
    slowest = max(seconds for _, seconds in meanwhile)
    longest = max(seconds for _, seconds in ended)
    figures("slow senders", n=len(ended), longest_s=round(longest, 1), others_slowest_ms=round(slowest * 1000))
    assert {status_of(answered) for answered, _ in meanwhile} == {200}
    assert slowest < 1
    assert {status_of(answered) for answered, _ in ended} == {408}
    assert SLOW_SECONDS - 1 < longest < SLOW_SECONDS + 5


def drip(port: int, start: bytes) -> tuple[bytes, float]:
    """A byte of the body each second, until the server has had enough."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=1) as line:
        line.sendall(start)
        while time.monotonic() - began < 3 * SLOW_SECONDS:
            try:
                answered = line.recv(65_536)
            except TimeoutError:
                line.sendall(b"x")
                continue
            return answered, time.monotonic() - began
    return b"", time.monotonic() - began


HEADS_WITHOUT_END = {
    "headers": (b"POST /webhooks/stripe HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"X-Slow: yes\r\n"),
    "silence": (b"", b""),
    "empty lines": (b"", b"\r\n"),
    "empty lines after an answer": (b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"\r\n"),
}


def test_a_head_that_never_ends_is_hung_up_on(served: Served, figures: Callable[..., None]) -> None:
    began = time.monotonic()
    left = []
    for first, each in list(HEADS_WITHOUT_END.values()) * 8:
        line = socket.create_connection(("127.0.0.1", served.port), timeout=1)
        line.sendall(first)
        left.append((line, each))
    lines = list(left)
    while left and time.monotonic() - began < 2.5 * SLOW_SECONDS:
        left = [(line, each) for line, each in left if goes_on(line, each)]
        time.sleep(0.5)
    seconds = time.monotonic() - began
    answered, _ = served.say(signed(event(b"1")))
    for line, _ in lines:
        line.close()
    figures("heads that never end", n=len(lines), left_open=len(left), seconds=round(seconds, 1))
    assert status_of(answered) == 200
    assert left == []
    assert seconds < 1.6 * SLOW_SECONDS


def goes_on(line: socket.socket, each: bytes) -> bool:
    """Send a little more; False once the server has closed."""
    line.settimeout(0.02)
    try:
        line.sendall(each)
        while line.recv(65_536):
            pass
    except TimeoutError:
        return True
    except OSError:
        return False
    return False
