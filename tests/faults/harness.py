"""The grip on real worker processes, and the count that decides: lost, duplicate, unexpected, unknown."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.gateways.fakes.smtp_sink import read_journal

HERE = Path(__file__).parent
PROOF = os.environ.get("NUDGEPAY_PROOF") == "1"
SEED = int(os.environ.get("NUDGEPAY_SEED", "20260302"))


class Nursery:
    """Spawns workers quickly, so that many can be killed."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._errors = log.open("w")
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "nursery.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.pids: set[int] = set()

    def spawn(self, **arguments: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        self.pids.add(pid)
        return pid

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self.pids.discard(pid)

    def close(self) -> None:
        for pid in list(self.pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
                self.kill(pid)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

    def told(self) -> Counter[str]:
        """What the workers counted in the passes that they could finish."""
        total: Counter[str] = Counter()
        for line in self.log.read_text().splitlines():
            if line.startswith('{"pid"'):
                total.update({key: value for key, value in json.loads(line).items() if key != "pid"})
        return total


@contextlib.contextmanager
def nursery(log: Path) -> Iterator[Nursery]:
    made = Nursery(log)
    try:
        yield made
    finally:
        made.close()


def is_gone(pid: int) -> bool:
    """No such process any more."""
    return not Path(f"/proc/{pid}").exists()


def is_stopped_or_gone(pid: int) -> bool:
    """The kernel says that the process is frozen (state T), or it found nothing to do and ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return True


def wake(pid: int) -> None:
    """Let a frozen process go on."""
    os.kill(pid, signal.SIGCONT)


def wait_until(condition: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@dataclass(frozen=True)
class Tally:
    """Every occurrence that was due, against what the relay kept."""

    n: int
    lost: int
    duplicate: int
    unexpected: int
    unknown: int

    def figures(self, name: str, **more: Any) -> dict[str, Any]:
        """For the run's summary; of a long run also for docs/evidence."""
        return measured(name, self, **more)


def measured(name: str, found: Tally | None = None, **more: Any) -> dict[str, Any]:
    """The figures of a run for its summary; those of a long run go to docs/evidence as well."""
    numbers = (asdict(found) if found else {}) | more
    if PROOF:
        head = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True
        )
        document = {"what": name, **numbers, "commit": head.stdout.strip()}
        document["date"] = datetime.now(UTC).date().isoformat()
        directory = HERE.parent.parent / "docs" / "evidence"
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"faults-{name.lower().replace(' ', '-')}.json"
        path.write_text(json.dumps(document, indent=2) + "\n")
    return numbers


def tally(db: Database, journal: Path, *, expected: Collection[int] | None = None) -> Tally:
    """Compare the rows with the journal, recipient by recipient (each has one occurrence due).

    A letter that failed is listed, not lost. `expected`: ids of the clients who must get their letter; without it all must, and nobody else may.
    """
    arrived = Counter(recipient for entry in read_journal(journal) for recipient in entry["recipients"])
    with db.transaction() as session:
        known = {row.email: row.client_id for row in session.execute(text("SELECT email, client_id FROM contacts"))}
        failed = set(session.scalars(text("SELECT to_address FROM letters WHERE state = 'failed'")))
        unknown = set(session.scalars(text("SELECT to_address FROM letters WHERE state = 'unknown'")))
    due = {email for email, client_id in known.items() if expected is None or client_id in expected}
    return Tally(
        n=len(due),
        lost=len(due - arrived.keys() - unknown - failed),
        duplicate=sum(count - 1 for count in arrived.values()),
        unexpected=len(arrived.keys() - known.keys()),
        unknown=len(unknown),
    )


def all_accepted(db: Database) -> bool:
    with db.transaction() as session:
        open_rows = session.scalar(
            text("SELECT count(*) FROM reminders WHERE state IN ('planned', 'claimed', 'sending', 'unknown')")
        )
        return open_rows == 0
