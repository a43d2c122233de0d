"""The machine's clock jumps under a running worker: leases and deadlines do not care, and no letter goes twice."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from automation.processes import hint
from faults.harness import PROOF, all_accepted, measured, tally, wait_until
from faults.products import working
from nudgepay.db import Database
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudges.books import MONDAY, due_clients, rows, value

LIBRARY = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
CLIENTS = 200 if PROOF else 20
pytestmark = [
    pytest.mark.fault,
    pytest.mark.timeout(600 if PROOF else 120),
    pytest.mark.skipif(not LIBRARY.is_file(), reason="libfaketime is not installed (Debian: faketime)"),
]


class Clock:
    """The wall clock of the worker's process, set by a file; its monotonic clock goes on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._began = time.monotonic()
        self.set(timedelta())

    def set(self, beside: timedelta) -> None:
        """Show Monday, as long after it as this test has run, and `beside`."""
        wanted = MONDAY + timedelta(seconds=time.monotonic() - self._began) + beside
        offset = (wanted - datetime.now(UTC)).total_seconds()
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset:+.0f}\n")
        Path(fresh).replace(self._file)

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # else threads wait for ever for their turn
        }


def test_no_letter_goes_twice_and_none_is_lost_while_the_clock_jumps_both_ways(
    db: Database, database_url: str, tmp_path: Path, figures: Callable[..., None]
) -> None:
    due_clients(db, CLIENTS)
    hands = Clock(tmp_path / "faketime")
    jumps = (timedelta(minutes=10), timedelta(minutes=-10), timedelta(days=-2), timedelta(minutes=30), timedelta())
    with (
        SmtpSink(tmp_path / "journal.jsonl", on_kept=lambda _: time.sleep(0.1)) as sink,
        working(
            database_url,
            tmp_path,
            sink_port=sink.port,
            journal=sink.journal,
            now=None,
            SMTP_POOL_SIZE="1",
            **hands.environment(),
        ) as worker,
    ):
        wait_until(lambda: bool(sink.kept()) or _hint(db))
        for jump in jumps:
            hands.set(jump)
            shown = MONDAY + jump
            wait_until(lambda shown=shown: _has_run_near(db, shown) or _hint(db), seconds=40)
        wait_until(lambda: all_accepted(db) or _hint(db), seconds=300)
        kept = len(sink.kept())
        for jump in (timedelta(days=-2), timedelta(minutes=10), timedelta()):
            hands.set(jump)
            passes = value(db, "SELECT count(*) FROM runs WHERE ended_at IS NOT NULL")
            wait_until(
                lambda passes=passes: (
                    value(db, "SELECT count(*) FROM runs WHERE ended_at IS NOT NULL") > passes + 1 or _hint(db)
                )
            )
        assert worker.poll() is None
    found = tally(db, sink.journal)
    shown_at = [row.now for row in rows(db, "SELECT now FROM runs ORDER BY now")]
    span = round((shown_at[-1] - shown_at[0]).total_seconds())
    figures("clock jumps", **measured("clock jumps", found, jumps=len(jumps) + 3, seconds_between_runs=span))
    assert span > timedelta(days=2).total_seconds(), "the worker did see the jumps"
    assert (found.lost, found.duplicate, found.unexpected, found.unknown) == (0, 0, 0, 0)
    assert kept == len(sink.kept()) == CLIENTS


def _has_run_near(db: Database, shown: datetime) -> bool:
    query = "SELECT EXISTS (SELECT FROM runs WHERE now BETWEEN :shown AND :shown + interval '9 minutes')"
    return bool(value(db, query, shown=shown))


def _hint(db: Database) -> bool:
    hint(db, "nudge_pass")
    time.sleep(0.3)
    return False
