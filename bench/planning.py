"""The planning pass against the least that must be written, and the idle pass against itself at a tenth.

    python bench/planning.py [--invoices 1000000] [--due 34000] [--repetitions 7] [--seed 1]

Both figures are ratios of medians of interleaved repetitions in one run. Seconds are printed as information.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
from sqlalchemy import make_url, text

from nudgepay import embedded
from nudgepay.db import Database
from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.planning import run_planning
from nudgepay.schema_lifecycle.migrate import migrate

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
IDLE_PASSES = 20
MUSTS = {"pass_to_insert": 3.0, "idle_growth": 1.5}
EVIDENCE = Path(__file__).parent.parent / "docs" / "evidence" / "bench-planning.json"

CLIENTS = """
INSERT INTO clients (name, locale, timezone, country)
SELECT 'Client ' || n, 'en', (ARRAY['Europe/Berlin', 'Europe/London', 'America/New_York', 'Asia/Tokyo'])[1 + n % 4],
       (ARRAY['DE', 'GB', 'US', 'JP'])[1 + n % 4]
  FROM generate_series(1, %(clients)s) AS n
"""

INVOICES = """
INSERT INTO invoices (number, client_id, currency, amount_due, amount_remaining, issued_on, due_on, token, next_at)
SELECT 'A-' || n, 1 + n %% %(clients)s, 'EUR', 10000, 10000, due_on - 30, due_on, md5(n || %(seed)s::text),
       CASE WHEN n <= %(due)s THEN %(now)s - interval '1 hour'
            ELSE (due_on - 3)::timestamptz + interval '12 hours' END
  FROM (SELECT n, CASE WHEN n > %(due)s THEN %(today)s + 7 + ((n::bigint * 7919 + %(seed)s) %% 80)::int
                       WHEN n %% 2 = 0 THEN %(today)s ELSE %(today)s + 2 END AS due_on
          FROM generate_series(1, %(invoices)s) AS n) AS made
"""
"""Half of the due ones stand at their first step, half at their second, their first long sent."""

SENT_BEFORE = """
INSERT INTO reminders (invoice_id, client_id, step, schedule_version, state, due_at, look_at)
SELECT id, client_id, 'T-3', 1, 'accepted', now(), now() FROM invoices WHERE next_at <= %(now)s AND due_on = %(today)s
"""

KEEP = """
CREATE TABLE exactly_due AS SELECT invoice_id, client_id, step, schedule_version, due_at, look_at
  FROM reminders WHERE state = 'planned'
"""

INSERT = """
INSERT INTO reminders (invoice_id, client_id, step, schedule_version, due_at, look_at) SELECT * FROM exactly_due
"""


def main() -> int:
    """Measure, print, write the evidence; 1 when a must is missed."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="np-bench-", ignore_cleanup_errors=True) as home:
        server = embedded.start(Path(home))
        try:
            found = _measure(server.get_uri("postgres"), options)
        finally:
            server.cleanup()
    print(json.dumps(found, indent=2))
    EVIDENCE.parent.mkdir(parents=True, exist_ok=True)
    EVIDENCE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    missed = [name for name, must in MUSTS.items() if found["ratios"][name] > must]
    print("musts missed:", ", ".join(missed) or "none")
    return bool(missed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--invoices", type=int, default=1_000_000)
    parser.add_argument("--due", type=int, default=34_000)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _measure(url: str, options: argparse.Namespace) -> dict[str, object]:
    large, small = _database(url, "large"), _database(url, "small")
    for db, invoices in ((large, options.invoices), (small, options.invoices // 10)):
        _fill(db.url, invoices, options)
        run_planning(db, now=NOW, calendar=WorkCalendar())
    with psycopg.connect(large.url, autocommit=True) as connection:
        connection.execute(KEEP)
        rows = connection.execute("SELECT count(*) FROM exactly_due").fetchone()[0]
    passes, inserts, idle_large, idle_small = [], [], [], []
    for _ in range(options.repetitions):
        inserts.append(_time_insert(large))
        passes.append(_time_pass(large))
        _settle(large.url)
        _settle(small.url)
        for _ in range(IDLE_PASSES):
            idle_small.append(_time_idle_pass(small))
            idle_large.append(_time_idle_pass(large))
    large.close()
    small.close()
    seconds = {
        "pass": statistics.median(passes),
        "insert": statistics.median(inserts),
        "idle": statistics.median(idle_large),
        "idle_at_a_tenth": statistics.median(idle_small),
    }
    return {
        "commit": _commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "n": {"invoices": options.invoices, "due": rows, "repetitions": options.repetitions},
        "seed": options.seed,
        "ratios": {
            "pass_to_insert": round(seconds["pass"] / seconds["insert"], 2),
            "idle_growth": round(seconds["idle"] / seconds["idle_at_a_tenth"], 2),
        },
        "musts": MUSTS,
        "seconds_for_information": {name: round(value, 4) for name, value in seconds.items()},
    }


def _database(url: str, name: str) -> Database:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    db = Database(make_url(url).set(database=name).render_as_string(hide_password=False))
    migrate(db)
    return db


def _fill(url: str, invoices: int, options: argparse.Namespace) -> None:
    today = date(NOW.year, NOW.month, NOW.day)
    values = {
        "clients": max(1, invoices // 10),
        "invoices": invoices,
        "due": min(options.due, invoices // 10),
        "seed": options.seed,
        "now": NOW,
        "today": today,
    }
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        connection.execute(CLIENTS.replace("% 4", "%% 4"), values)
        connection.execute(INVOICES, values)
        connection.execute(SENT_BEFORE, values)
        connection.execute("VACUUM ANALYZE")


def _undo(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM reminders WHERE state = 'planned'")
        connection.execute(
            "UPDATE invoices SET next_at = %s FROM exactly_due WHERE invoice_id = id", (NOW - timedelta(hours=1),)
        )
        connection.execute("VACUUM reminders")
        connection.execute("VACUUM invoices")


def _time_insert(db: Database) -> float:
    _undo(db.url)
    with db.transaction() as session:
        session.execute(text("SELECT 1"))
        started = time.perf_counter()
        session.execute(text(INSERT))
        session.commit()
        return time.perf_counter() - started


def _time_pass(db: Database) -> float:
    _undo(db.url)
    db.ping()
    started = time.perf_counter()
    run_planning(db, now=NOW, calendar=WorkCalendar())
    return time.perf_counter() - started


def _settle(url: str) -> None:
    """What autovacuum does a while after a pass: neither database carries the last pass's dead rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM reminders")
        connection.execute("VACUUM invoices")


def _time_idle_pass(db: Database) -> float:
    started = time.perf_counter()
    run_planning(db, now=NOW, calendar=WorkCalendar())
    return time.perf_counter() - started


def _commit() -> str:
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    found = subprocess.run(git, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    raise SystemExit(main())
