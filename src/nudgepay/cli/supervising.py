"""`nudgepay up`: the web process and a worker as children; one that ends is started again, both end together."""

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from nudgepay import clock
from nudgepay.cli.context import say
from nudgepay.config.environment import process_environment
from nudgepay.errors import UsageError

if TYPE_CHECKING:
    from nudgepay.runtime import Runtime

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
LONG_LIFE_SECONDS = 60.0
STOP_MARGIN_SECONDS = 5.0
LOOK_SECONDS = 0.2
FINAL_CODES = {2, 3}
"""Exit codes that starting again does not cure: wrong usage or configuration, refused for safety."""


def supervise(runtime: "Runtime", *, host: str, port: int) -> int:
    """Run both until SIGTERM or Ctrl-C; returns the exit code. The worker's metrics are on METRICS_PORT + 1."""
    metrics_port = runtime.settings.metrics_port
    if metrics_port == 65535:
        raise UsageError("METRICS_PORT: the worker needs the next port too; choose one below 65535, or 0 for none")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    web = ["serve", "--host", host, "--port", str(port)]
    children = [
        _Child("web", web, runtime.db.url, metrics_port),
        _Child("worker", ["worker"], runtime.db.url, metrics_port + 1 if metrics_port else 0),
    ]
    try:
        return _keep_running(children, stopping)
    finally:
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.stop(within=runtime.settings.worker_stop_seconds + STOP_MARGIN_SECONDS)


def _keep_running(children: list["_Child"], stopping: threading.Event) -> int:
    while True:
        for child in children:
            code = child.keep_running()
            if code in FINAL_CODES:
                say(f"{child.name} cannot run like this; nothing runs now")
                return code
        if stopping.wait(LOOK_SECONDS):
            return 0


class _Child:
    def __init__(self, name: str, arguments: list[str], database_url: str, metrics_port: int) -> None:
        self.name = name
        self._command = [sys.executable, "-m", "nudgepay.cli", *arguments]
        self._environment = {
            **{key: value for key, value in process_environment().items() if not key.startswith("DATABASE_URL")},
            "DATABASE_URL": database_url,
            "METRICS_PORT": str(metrics_port),
        }
        self._pause = FIRST_PAUSE_SECONDS
        self._began = self._begin_at = clock.monotonic()
        self._process: subprocess.Popen[bytes] | None = None

    def keep_running(self) -> int | None:
        """Start it when it is its time; returns the exit code with which it has just ended, if it has."""
        if self._process is None:
            if clock.monotonic() >= self._begin_at:
                self._start()
            return None
        code = self._process.poll()
        if code is None:
            return None
        self._process = None
        if clock.monotonic() - self._began > LONG_LIFE_SECONDS:
            self._pause = FIRST_PAUSE_SECONDS
        self._begin_at = clock.monotonic() + self._pause
        if code not in FINAL_CODES:
            say(f"{self.name} ended with {code}; starting it again in {self._pause:.0f} s")
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        return code

    def _start(self) -> None:
        self._began = clock.monotonic()
        self._process = subprocess.Popen(  # noqa: S603  # our own command
            self._command,
            env=self._environment,
            start_new_session=True,  # Ctrl-C is the parent's, who passes it on once
        )

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.terminate()

    def stop(self, *, within: float) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
