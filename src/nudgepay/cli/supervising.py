"""`nudgepay up`: the web process and a worker as children; one that ends is started again, both end together."""

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from nudgepay.cli.context import say
from nudgepay.config.environment import process_environment

if TYPE_CHECKING:
    from nudgepay.runtime import Runtime

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
STOP_SECONDS = 15


def supervise(runtime: "Runtime", *, host: str, port: int) -> None:
    """Run both until SIGTERM or Ctrl-C. The worker's metrics are on METRICS_PORT + 1."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    metrics_port = runtime.settings.metrics_port
    web = ["serve", "--host", host, "--port", str(port)]
    children = [
        _Child("web", web, runtime.db.url, metrics_port),
        _Child("worker", ["worker"], runtime.db.url, metrics_port + 1 if metrics_port else 0),
    ]
    try:
        while not stopping.wait(0.5):
            for child in children:
                child.ensure_running(stopping)
    finally:
        for child in children:
            child.stop()


class _Child:
    def __init__(self, name: str, arguments: list[str], database_url: str, metrics_port: int) -> None:
        self._name = name
        self._command = [sys.executable, "-m", "nudgepay.cli", *arguments]
        self._environment = {
            **{key: value for key, value in process_environment().items() if not key.startswith("DATABASE_URL")},
            "DATABASE_URL": database_url,
            "METRICS_PORT": str(metrics_port),
        }
        self._pause = FIRST_PAUSE_SECONDS
        self._process: subprocess.Popen[bytes] | None = None

    def ensure_running(self, stopping: threading.Event) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        if self._process is not None:
            say(f"{self._name} ended with {self._process.returncode}; starting it again in {self._pause:.0f} s")
            if stopping.wait(self._pause):
                return
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        self._process = subprocess.Popen(  # noqa: S603  # our own command
            self._command, env=self._environment, start_new_session=True
        )

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
