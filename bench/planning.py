"""The planning pass against an INSERT .. SELECT of exactly the due rows, and against itself at a tenth of the size.

python bench/planning.py [--invoices 1000000] [--due 34000] [--repetitions 3]
"""

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from figures import ratio, write
from sqlalchemy import text

from nudgepay import embedded
from nudgepay.db import Database
from nudgepay.nudges.calendars import WorkCalendar
from nudgepay.nudges.planning import run_planning
from nudgepay.schema_lifecycle.migrate import migrate

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)

FILL = """
INSERT INTO clients (name, locale, timezone, country)
SELECT 'Client ' || n, 'de', (ARRAY['Europe/Berlin', 'America/New_York', 'Asia/Tokyo'])[1 + n % 3], 'DE'
  FROM generate_series(1, :clients) AS n;
INSERT INTO invoices (client_id, number, currency, amount_due, amount_remaining, issued_on, due_on, token, next_at)
SELECT 1 + n % :clients, 'N-' || n, 'EUR', 10000, 10000, DATE '2026-02-01', DATE '2026-03-13' + (n % 60)::int,
       md5(n::text) || 'token', TIMESTAMPTZ '2027-01-01' + n * interval '1 second'
  FROM generate_series(1, :invoices) AS n;
"""

MAKE_DUE = "UPDATE invoices SET next_at = :now, due_on = DATE '2026-03-13' WHERE id <= :due"
LIMIT = """
INSERT INTO reminders (invoice_id, client_id, step, schedule_version, due_at, look_at)
SELECT id, client_id, 'T-3', 1, next_at, next_at FROM invoices WHERE next_at <= :now
"""


def fill(home: Path, name: str, invoices: int) -> Database:
    """A migrated database with that many open invoices, none of them due."""
    _, url = embedded.start_database(home, name)
    db = Database(url)
    migrate(db)
    with db.transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = '10min'"))
        for statement in filter(str.strip, FILL.split(";")):
            session.execute(text(statement), {"clients": max(invoices // 20, 1), "invoices": invoices})
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = '10min'"))
        connection.execute(text("VACUUM ANALYZE"))
    return db


def seconds(work: object) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


def reset(db: Database, due: int) -> None:
    """The same due rows again, no reminder."""
    with db.transaction() as session:
        session.execute(text("TRUNCATE reminders CASCADE"))
        session.execute(text(MAKE_DUE), {"now": NOW, "due": due})
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE invoices"))


def insert_due(db: Database) -> None:
    """The limit: exactly the due rows, in one statement."""
    with db.transaction() as session:
        session.execute(text(LIMIT), {"now": NOW})


def main() -> int:
    """Measure, write, and fail when a must is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--invoices", type=int, default=1_000_000)
    parser.add_argument("--due", type=int, default=34_000)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    calendar = WorkCalendar()
    with tempfile.TemporaryDirectory(prefix="np-bench-", ignore_cleanup_errors=True) as home:
        small = fill(Path(home), "small", options.invoices // 10)
        large = fill(Path(home), "large", options.invoices)
        run_planning(small, now=NOW, calendar=calendar)
        idle: dict[str, list[float]] = {"small": [], "large": []}
        for _ in range(max(options.repetitions, 5)):
            idle["small"].append(seconds(lambda: run_planning(small, now=NOW, calendar=calendar)))
            idle["large"].append(seconds(lambda: run_planning(large, now=NOW, calendar=calendar)))
        limit, ours = [], []
        for _ in range(options.repetitions):
            reset(large, options.due)
            limit.append(seconds(lambda: insert_due(large)))
            reset(large, options.due)
            ours.append(seconds(lambda: run_planning(large, now=NOW, calendar=calendar)))
        small.close()
        large.close()
    figures = {
        "n": options.invoices,
        "due": options.due,
        "repetitions": options.repetitions,
        "seed": None,
        "pass_over_insert_select": ratio(ours, limit),
        "must_at_most": 3.0,
        "idle_over_idle_at_a_tenth": ratio(idle["large"], idle["small"]),
        "idle_must_at_most": 1.5,
        "seconds_for_information": {"pass": ours, "limit": limit, "idle": idle},
    }
    write("bench-planning", figures)
    missed = figures["pass_over_insert_select"] > 3.0 or figures["idle_over_idle_at_a_tenth"] > 1.5  # type: ignore[operator]
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
