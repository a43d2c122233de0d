"""The product's own processes, as an operator starts them, and somebody who posts to them and keeps count."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from nudgepay.gateways.fakes.stripe.deliveries import signature
from nudges.books import MONDAY

HERE = Path(__file__).parent
SECRET = "whsec_" + "k" * 32
PATIENCE = 30.0
"""How long the client itself waits for an answer, in seconds: far longer than any answer may take."""


def environment(url: str, home: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": "test",
        "DATABASE_URL": url,
        "NUDGEPAY_HOME": str(home),
        "METRICS_PORT": "0",
        "LOG_LEVEL": "WARNING",
        "FROM_EMAIL": "billing@atelier.example",
        "STRIPE_WEBHOOK_SECRET": SECRET,
        "PYTHONPATH": os.pathsep.join(sys.path),
        **more,
    }


@contextlib.contextmanager
def running(command: list[str], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone when the block ends."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=out)
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(10)


class Site:
    """One `nudgepay serve`, and questions to it."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes] | None" = None) -> None:
        self.port = port
        self.process = process

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, float]:
        """The status (0 when the connection broke) and the seconds it took."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status, time.monotonic() - began
        except (OSError, http.client.HTTPException):
            return 0, time.monotonic() - began
        finally:
            connection.close()

    def post_event(self, event_id: str, filling: str = "") -> tuple[int, float]:
        document = {"id": event_id, "object": "event", "type": "ping", "livemode": False, "filling": filling}
        raw = json.dumps(document).encode()
        return self.ask(
            "POST", "/webhooks/stripe", raw, **{"Stripe-Signature": signature(raw, SECRET, int(time.time()))}
        )

    def wait_for(self, path: str, status: int, *, seconds: float) -> float:
        """How long it took until `path` answered with `status`."""
        began = time.monotonic()
        while True:
            if self.ask("GET", path)[0] == status:
                return time.monotonic() - began
            assert time.monotonic() - began < seconds, f"{path} did not answer {status} within {seconds} s"
            time.sleep(0.1)


@contextlib.contextmanager
def serving(url: str, home: Path, **more: str) -> Iterator[Site]:
    """A web process that answers."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "nudgepay.cli", "serve", "--port", str(port)]
    with running(command, environment(url, home, **more), home / "web.log") as process:
        site = Site(port, process)
        site.wait_for("/not-there", 404, seconds=30)  # only the loaded application knows what it has not
        yield site


@contextlib.contextmanager
def working(
    url: str,
    home: Path,
    *,
    sink_port: int,
    journal: Path,
    name: str = "worker",
    now: datetime | None = MONDAY,
    **more: str,
) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker whose relay is the sink, and whose record of acceptance is the sink's journal.

    Its business time begins at `now`, or is what its clock shows.
    """
    mail = {"MAIL_TRANSPORT": "smtp", "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(sink_port), "SMTP_SECURITY": "none"}
    command = [sys.executable, str(HERE / "at_work.py"), now.isoformat() if now else "-", str(journal)]
    with running(command, environment(url, home, **(mail | more)), home / f"{name}.log") as process:
        yield process


class Poster:
    """Posts events one after another from some threads until it is stopped, and remembers every answer."""

    def __init__(
        self, site: Site, *, threads: int = 4, pause: float = 0.02, filling: str = "", prefix: str = ""
    ) -> None:
        self._site = site
        self._stopping = threading.Event()
        self._pause = pause
        self._filling = filling
        self._prefix = prefix
        self.statuses: Counter[int] = Counter()
        self.acked: set[str] = set()
        self.slowest = 0.0
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._post, args=(number,), daemon=True) for number in range(threads)
        ]

    def __enter__(self) -> "Poster":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE + 5)

    def _post(self, number: int) -> None:
        count = 0
        while not self._stopping.wait(self._pause):
            count += 1
            event_id = f"evt_{self._prefix}{number}_{count}"
            status, seconds = self._site.post_event(event_id, self._filling)
            with self._lock:
                self.statuses[status] += 1
                self.slowest = max(self.slowest, seconds)
                if status == 200:
                    self.acked.add(event_id)
