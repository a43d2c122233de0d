"""Workers to be killed: a parent that has everything imported forks one for each line it is told.

`python nursery.py` reads lines of JSON (the arguments of `work`) and answers each with the worker's pid.
"""

import json
import os
import resource
import signal
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from nudgepay import log
from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.gateways.fakes.smtp_sink import SinkReceipts
from nudgepay.gateways.smtp import SmtpTransport
from nudgepay.gateways.smtp_client import Relay
from nudgepay.nudges.passes import run_pass
from nudgepay.nudges.terms import terms_of

MEGABYTE = 1024 * 1024


def work(
    *,
    url: str,
    port: int,
    journal: str,
    lease: float,
    now: str,
    started: float,
    speed: float,
    freeze_at: str | None = None,
    passes: int | None = None,
    spare_memory: int | None = None,
) -> None:
    """Run passes until killed. `freeze_at`: stop this process (SIGSTOP) at that moment of its first letter.
    `spare_memory`: megabytes of address space that it may take beyond what it has now.

    Business time is `now` when the wall clock shows `started`, and runs `speed` times as fast.
    """
    settings = Settings.load({"ENVIRONMENT": "test", "SENDING_LEASE_SECONDS": str(lease), "BASE_URL": "http://x"})
    db = Database(url, application="worker")
    relay = Relay("127.0.0.1", port, "none", "atelier.example", step_timeout=1, total=3)
    transport = SmtpTransport(relay, pool_size=2)
    frozen: list[int] = []
    if spare_memory is not None:
        limit = (address_space() + spare_memory) * MEGABYTE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    def watch(moment: str) -> None:
        if moment == freeze_at and not frozen:
            frozen.append(1)
            os.kill(os.getpid(), signal.SIGSTOP)

    done = 0
    while passes is None or done < passes:
        report = run_pass(
            db,
            transport=transport,
            receipts=SinkReceipts(Path(journal)),
            terms=terms_of(settings),
            environment="test",
            now=datetime.fromisoformat(now) + timedelta(seconds=(time.time() - started) * speed),
            actor="test",
            watch=watch,
        )
        done += 1
        counts = dict(report.sending.counts)
        if counts:
            print(json.dumps({"pid": os.getpid(), **counts}), file=sys.stderr, flush=True)
        threading.Event().wait(0.05)
    transport.close()
    db.close()


def address_space() -> int:
    """Megabytes that this process has mapped."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize() // MEGABYTE


def _fork(arguments: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work(**arguments)
        except (MemoryError, RuntimeError):
            os.write(2, b'{"pid": 0, "starved": 1}\n')
        finally:
            os._exit(0)
    return pid


def main() -> None:
    """Fork until the input ends."""
    log.configure("WARNING")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        print(_fork(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
