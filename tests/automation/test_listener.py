"""The metrics have a listener of their own, with one page."""

import socket
import threading
import urllib.error
import urllib.request

import pytest

from nudgepay.automation.listener import listen_for_scrapes
from nudgepay.config import Settings
from nudgepay.errors import UsageError
from nudgepay.runtime import build_runtime


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, ""


def test_it_serves_the_metrics_and_nothing_else(settings: Settings) -> None:
    runtime, port = build_runtime(settings), free_port()
    stop = listen_for_scrapes(runtime, port=port)
    try:
        status, page = get(port, "/metrics")
        assert status == 200
        assert 'nudgepay_queue_depth{queue="reminders"} 0.0' in page
        assert [get(port, path)[0] for path in ("/", "/metrics/", "/livez", "/internal/keyring")] == [404] * 4
    finally:
        stop()
        runtime.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_a_taken_port_is_named_with_its_cure(settings: Settings) -> None:
    runtime = build_runtime(settings)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"METRICS_PORT: {port} .* choose another"):
            listen_for_scrapes(runtime, port=port)
    runtime.close()


def test_port_zero_serves_none(settings: Settings) -> None:
    runtime = build_runtime(settings)
    before = threading.active_count()
    stop = listen_for_scrapes(runtime, port=0)
    assert threading.active_count() == before
    stop()
    runtime.close()
