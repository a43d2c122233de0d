"""Workers as real processes, and patience."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from nudgepay.automation.waking import wake_worker
from nudgepay.config import Settings
from nudgepay.db import Database
from nudges.books import MONDAY, rows

HERE = Path(__file__).parent


def environment_of(settings: Settings, home: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": "test",
        "DATABASE_URL": settings.secret("database_url") or "",
        "NUDGEPAY_HOME": str(home),
        "METRICS_PORT": "0",
        "FROM_EMAIL": "billing@atelier.example",
        "PYTHONPATH": os.pathsep.join(sys.path),
        **more,
    }


def start_worker(
    settings: Settings, home: Path, *arguments: str, now: datetime = MONDAY, **more: str
) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(HERE / "at.py"), now.isoformat(), *arguments]
    return subprocess.Popen(command, env=environment_of(settings, home, **more), stderr=subprocess.DEVNULL)


def hint(db: Database, job: str) -> None:
    with db.transaction() as session:
        wake_worker(session, job)


def wait_for(happened: Callable[[], object], *, seconds: float = 60, meanwhile: Callable[[], object] = bool) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if happened():
            return True
        meanwhile()
        threading.Event().wait(0.2)
    return False


def runs_done(db: Database, job: str) -> int:
    return len(rows(db, "SELECT 1 FROM ledger_entries WHERE name = :job AND outcome = 'done'", job=job))
