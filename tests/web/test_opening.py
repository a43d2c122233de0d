"""Before the application is there: alive at once, ready only with it, nothing that was asked is lost."""

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import pytest
import uvicorn
from starlette.types import ASGIApp

from nudgepay.config import Settings
from nudgepay.gateways.fakes.stripe.deliveries import signature
from nudgepay.runtime import Runtime
from nudgepay.web import opening
from nudgepay.web.app import create_app
from nudgepay.web.listening import configured
from nudgepay.web.opening import Opening
from nudges.books import rows
from web.conftest import SECRET
from web.served import starting, wait_for

STARTING = {"status": "not ready", "reasons": ["starting"]}
EVENT = json.dumps({"id": "evt_early", "type": "ping", "livemode": False, "data": {"object": {}}}).encode()


@dataclass
class Gate:
    """A listening server whose application opens with `opens`."""

    port: int
    opens: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        line = HTTPConnection("127.0.0.1", self.port, timeout=20)
        line.request(
            method, path, body, {"Host": "testserver", "Stripe-Signature": signature(body, SECRET, int(time.time()))}
        )
        answer = line.getresponse()
        said = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        line.close()
        return said


@contextmanager
def gated(runtime: Runtime) -> Iterator[Gate]:
    listening = socket.create_server(("127.0.0.1", 0))
    gate = Gate(listening.getsockname()[1])

    @contextmanager
    def site() -> Iterator[ASGIApp]:
        assert gate.opens.wait(30)
        yield create_app(runtime)
        gate.left.set()

    application = Opening(site, give_up=lambda: None)
    server = uvicorn.Server(configured(application, host="127.0.0.1", port=0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield gate
    finally:
        gate.opens.set()
        server.should_exit = True
        thread.join(20)
        application.close()
    assert not thread.is_alive()
    assert application.failure is None


def probe_connections(runtime: Runtime) -> int:
    query = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'nudgepay probe'"
    )
    return len(rows(runtime.db, query))


def test_it_is_alive_and_not_ready_while_it_loads_and_what_is_asked_waits(runtime: Runtime) -> None:
    with gated(runtime) as gate, ThreadPoolExecutor(1) as stripe:
        assert gate.ask("GET", "/livez")[::2] == (200, b'{"status":"alive"}')
        for path in ("/readyz", "/healthz"):
            status, dressed, body = gate.ask("GET", path)
            assert (status, json.loads(body)) == (503, STARTING)
        assert [gate.ask("HEAD", path)[::2] for path in ("/livez", "/readyz")] == [(200, b""), (503, b"")]
        early = stripe.submit(gate.ask, "POST", "/webhooks/stripe", EVENT)
        assert gate.ask("GET", "/livez")[0] == 200
        assert not early.done()
        gate.opens.set()
        assert early.result()[::2] == (200, b"ok")
        assert [row.event_id for row in rows(runtime.db, "SELECT event_id FROM stripe_events")] == ["evt_early"]
        status, headers, body = gate.ask("GET", "/readyz")
        assert (status, json.loads(body)["status"]) == (200, "ready")
        assert [gate.ask("HEAD", path)[::2] for path in ("/livez", "/readyz")] == [(200, b""), (200, b"")]
        ours = {
            name: dressed[name] for name in dressed.keys() - {"content-length", "content-security-policy", "date"}
        }
        assert len(ours) == 6
        assert ours.items() <= headers.items(), "no header says more than the application's own"
        assert "default-src 'none'" in dressed["content-security-policy"]


def test_the_end_reaches_the_application_and_leaves_the_site(runtime: Runtime) -> None:
    with gated(runtime) as gate:
        gate.opens.set()
        while gate.ask("GET", "/readyz")[0] != 200:
            time.sleep(0.02)
        assert (probe_connections(runtime), gate.left.is_set()) == (1, False)
    assert (probe_connections(runtime), gate.left.is_set()) == (0, True)


def test_who_has_waited_long_enough_is_told_to_come_again(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "WAIT_SECONDS", 0.1)
    with gated(runtime) as gate:
        status, headers, body = gate.ask("POST", "/webhooks/stripe", EVENT)
        assert (status, headers["retry-after"], json.loads(body)) == (503, "5", STARTING)
    assert rows(runtime.db, "SELECT 1 FROM stripe_events") == []


def test_a_process_that_cannot_load_ends_and_says_why(settings: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        metrics_port = str(taken.getsockname()[1])
        causes = {
            "nudgepay: the database cannot serve this now": (
                1,
                {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
            ),
            f"nudgepay: METRICS_PORT: {metrics_port} on 127.0.0.1": (2, {"METRICS_PORT": metrics_port}),
            "DATABASE_URL: does not name a PostgreSQL database": (
                2,
                {"DATABASE_URL": "mysql://nobody@127.0.0.1:1/none"},
            ),
        }
        for number, (sentence, (code, cause)) in enumerate(causes.items()):
            with starting(settings, tmp_path / str(number), **cause) as (served, process):
                assert process.wait(30) == code
                assert sentence in served.log.read_text()
                assert "Traceback" not in served.log.read_text()


def test_an_end_during_loading_is_an_ordinary_end(settings: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none"
        with starting(settings, tmp_path, DATABASE_URL=url) as (served, process):
            wait_for(served, process, lambda: served.ask("/livez")[0] == 200)
            assert served.ask("/readyz")[0] == 503
            process.send_signal(signal.SIGTERM)
            assert process.wait(12) == 0
            assert "Traceback" not in served.log.read_text()
