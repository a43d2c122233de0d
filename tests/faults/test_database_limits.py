"""PostgreSQL is read-only, out of connections or out of disk: reads go on, nothing is answered yes without a row."""

import base64
import contextlib
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from faults.conftest import OwnDatabase
from faults.harness import PROOF, SEED, measured, wait_until
from faults.products import Poster, serving, working
from faults.servers import own_server
from nudgepay.db import Database
from nudgepay.gateways.fakes.smtp_sink import SmtpSink
from nudgepay.schema_lifecycle.migrate import migrate
from nudges.books import rows, value

MEGABYTE = 1024 * 1024
WATCH_SECONDS = 20 if PROOF else 6
pytestmark = [pytest.mark.fault, pytest.mark.timeout(600 if PROOF else 120)]


def test_a_read_only_database_is_read_and_every_write_is_refused_without_a_storm(
    own: OwnDatabase, tmp_path: Path, figures: Callable[..., None]
) -> None:
    with (
        SmtpSink(tmp_path / "journal.jsonl") as sink,
        serving(own.url(), tmp_path) as site,
        working(own.url(), tmp_path, sink_port=sink.port, journal=sink.journal) as worker,
    ):
        wait_until(lambda: _has_worker(own))
        own.server.ask(f"ALTER DATABASE {own.name} SET default_transaction_read_only = on")
        own.cut()
        wait_until(lambda: site.post_event("evt_1")[0] == 503)
        site.wait_for("/readyz", 503, seconds=5)
        assert site.ask("GET", "/livez")[0] == 200
        assert site.ask("GET", "/p/" + "x" * 43)[0] == 404, "reading goes on"
        before = _rollbacks(own)
        time.sleep(WATCH_SECONDS)
        rate = (_rollbacks(own) - before) / WATCH_SECONDS
        assert worker.poll() is None, "it waits for better times"
        own.server.ask(f"ALTER DATABASE {own.name} RESET default_transaction_read_only")
        own.cut()
        wait_until(lambda: site.post_event("evt_2")[0] == 200, seconds=10)
        site.wait_for("/readyz", 200, seconds=10)
    figures("read-only", **measured("postgresql read-only", failed_transactions_per_second=round(rate, 2)))
    assert rate <= 1.0, "a failing worker waits before it tries again"
    assert [row.event_id for row in rows(own.db, "SELECT event_id FROM stripe_events WHERE type = 'ping'")] == [
        "evt_2"
    ]


def _has_worker(own: OwnDatabase) -> bool:
    return bool(rows(own.db, "SELECT 1 FROM procrastinate.procrastinate_workers"))


def _rollbacks(own: OwnDatabase) -> int:
    found = own.server.ask(f"SELECT xact_rollback FROM pg_stat_database WHERE datname = '{own.name}'")
    return int(str(found[0][0]))


def test_without_a_free_connection_the_hook_goes_on_and_nothing_breaks(
    own: OwnDatabase, tmp_path: Path, figures: Callable[..., None]
) -> None:
    with serving(own.url(), tmp_path) as site, contextlib.ExitStack() as holding:
        assert site.post_event("evt_before")[0] == 200, "the hook has its own connection now"
        held = 0
        with pytest.raises(psycopg.OperationalError, match=r"too many clients|remaining connection slots"):
            while True:
                holding.enter_context(psycopg.connect(own.url()))
                held += 1
        answers = [site.post_event(f"evt_{number}") for number in range(200)]
        others = {site.ask("GET", path)[0] for path in ("/readyz", "/p/" + "x" * 43) for _ in range(5)}
        holding.close()
        site.wait_for("/readyz", 200, seconds=10)
    slowest = max(seconds for _, seconds in answers)
    figures(
        "no connection left", **measured("no connection left", held=held, n=len(answers), slowest=round(slowest, 2))
    )
    assert held > 20
    assert {status for status, _ in answers} == {200}
    assert others <= {200, 404, 503}


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A file system of its own, or a reason to skip."""
    place = Path(tempfile.mkdtemp(prefix="np-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        place.rmdir()
        pytest.skip("a small file system cannot be mounted here: mount needs more rights")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)
        place.rmdir()


def fill(place: Path, *, leaving: int) -> int:
    """Random bytes, which nothing can compress, until only `leaving` bytes are free."""
    written = 0
    with (place / "filling").open("wb") as file, contextlib.suppress(OSError):
        while (free := os.statvfs(place).f_bavail * os.statvfs(place).f_frsize) > leaving:
            written += file.write(os.urandom(min(free - leaving, MEGABYTE)))
            file.flush()
    return written


@pytest.mark.parametrize("full", ["data", "wal"])
def test_a_full_disk_loses_no_event_that_was_answered_yes_and_all_goes_on_with_space(
    tmp_path: Path, full: str, figures: Callable[..., None]
) -> None:
    filling = base64.b85encode(random.Random(SEED).randbytes(48_000)).decode().replace("\\", "/").replace('"', "'")
    with (
        small_disk(120 if full == "data" else 24) as disk,
        tempfile.TemporaryDirectory(prefix="np-wal-", ignore_cleanup_errors=True) as elsewhere,
    ):
        places = {"data": disk, "wal": Path(elsewhere)} if full == "data" else {"wal": disk}
        with own_server(settings=("max_connections=30",), **places) as server:
            server.ask("CREATE DATABASE own")
            db = Database(server.url("own"))
            migrate(db)
            with serving(server.url("own"), tmp_path) as site, Poster(site, threads=2, filling=filling) as poster:
                wait_until(lambda: len(poster.acked) > 20)
                written = fill(disk, leaving=2 * MEGABYTE)
                wait_until(lambda: poster.statuses[503] > 5, seconds=60)
                free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
                assert site.ask("GET", "/livez")[0] == 200
                was_up = server.is_running()
                ready = site.ask("GET", "/readyz")[0]
                subprocess.run(["mount", "-o", "remount,size=512m", str(disk)], check=True)
                if not server.is_running():
                    server.stop()
                    server.start()
                refused, acked = poster.statuses[503], len(poster.acked)
                began = time.monotonic()
                wait_until(lambda: len(poster.acked) > acked, seconds=20)
                recovery = time.monotonic() - began
                site.wait_for("/readyz", 200, seconds=20)
            stored = {row.event_id for row in rows(db, "SELECT event_id FROM stripe_events")}
            unhandled = value(db, "SELECT count(*) FROM stripe_events WHERE handled_at IS NULL")
            db.close()
    more = {"acked": len(poster.acked), "stored": len(stored), "refused_503": refused, "filled_bytes": written}
    more |= {"free_bytes": free, "server_stayed_up": was_up, "recovery_seconds": round(recovery, 1), "seed": SEED}
    figures(f"disk of the {full} full", **measured(f"disk of the {full} full", **more))
    assert poster.acked - stored == set()
    assert unhandled == len(stored)
    assert poster.statuses.keys() <= {200, 503}
    assert was_up or ready == 503, "a server that is gone shows"
