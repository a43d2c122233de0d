"""The web process as it runs, and strangers who speak to it byte by byte."""

import contextlib
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from automation.processes import environment_of
from nudgepay.config import Settings


@dataclass(frozen=True)
class Served:
    """A process of its own that listens on loopback; `log` is its standard error."""

    port: int
    pid: int
    log: Path

    def rss_kilobytes(self) -> int:
        """Memory in use now."""
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())[1])  # type: ignore[index]

    def cpu_seconds(self) -> float:
        """Processor time that its main thread has spent so far."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9

    def say(self, *parts: bytes, patience: float = 5, source: str = "127.0.0.1") -> tuple[bytes, float]:
        """What is answered until the server closes or has answered whole, and after how many seconds."""
        answered = b""
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.port), timeout=patience, source_address=(source, 0)) as line:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    line.sendall(part)
            with contextlib.suppress(ConnectionError, TimeoutError):
                while not _is_whole(answered) and (received := line.recv(65_536)):
                    answered += received
        return answered, time.monotonic() - began

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers by small name, and text of one ordinary request."""
        line = HTTPConnection("127.0.0.1", self.port, timeout=10)
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        line.request(method, path, body=urlencode(form) if form else None, headers=kind | (headers or {}))
        answer = line.getresponse()
        text = answer.read().decode()
        line.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text


def _is_whole(answered: bytes) -> bool:
    head, end, body = answered.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(end) and length is not None and len(body) >= int(length[1])


def status_of(answered: bytes) -> int:
    """The status of an answer, 0 for none."""
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answered)
    return int(found[1]) if found else 0


@contextlib.contextmanager
def starting(settings: Settings, home: Path, **more: str) -> "Iterator[tuple[Served, subprocess.Popen[bytes]]]":
    """`nudgepay serve` in a process of its own that has just begun, until the block ends."""
    home.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = home / "serve.log"
    command = [sys.executable, "-m", "nudgepay.cli", "serve", "--port", str(port)]
    environment = environment_of(settings, home, BASE_URL="http://127.0.0.1", **more)
    with log.open("wb") as errors:
        process = subprocess.Popen(command, env=environment, stderr=errors, stdout=errors)
        try:
            yield Served(port, process.pid, log), process
        finally:
            process.terminate()
            process.wait(timeout=15)


@contextlib.contextmanager
def serving(settings: Settings, home: Path, **more: str) -> Iterator[Served]:
    """The same once its application answers."""
    with starting(settings, home, **more) as (served, process):
        wait_for(served, process, lambda: "starting" not in served.ask("/readyz")[2])
        yield served


def wait_for(served: Served, process: "subprocess.Popen[bytes]", happened: Callable[[], bool]) -> None:
    """Until it happened, while the process lives and once it can be asked."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, served.log.read_text()[-2_000:]
        with contextlib.suppress(OSError):
            if happened():
                return
        time.sleep(0.05)
    raise AssertionError(served.log.read_text()[-2_000:])
