"""Books for the benches that compare an installation with one a tenth its size: made by statements, on one server.

Both benches measure the same way, too: all works in turn, the median of each.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from nudgepay import embedded
from nudgepay.config import Settings
from nudgepay.runtime import Runtime, build_runtime
from nudgepay.schema_lifecycle.migrate import migrate

CLIENTS = """
INSERT INTO clients (name, locale, timezone, country)
SELECT 'Client ' || n, 'en', 'Europe/Berlin', 'DE' FROM generate_series(1, %(clients)s) AS n
"""
CONTACTS = """
INSERT INTO contacts (client_id, name, email, token)
SELECT id, name, 'c' || id || '@client.example', md5('c' || id) FROM clients
"""
PAYMENTS = """
INSERT INTO money_facts (provider, provider_id, kind, amount, currency, client_id, occurred_at, recorded_at, actor,
                         targets)
SELECT 'stripe', 'pi_' || id, 'payment', amount_due, currency, client_id, closed_at, closed_at, 'bench',
       jsonb_build_array(jsonb_build_object('invoice_id', id, 'amount', amount_due))
  FROM invoices WHERE status = 'paid'
"""
ALLOCATIONS = """
INSERT INTO allocations (fact_id, invoice_id, amount)
SELECT id, (targets -> 0 ->> 'invoice_id')::bigint, amount FROM money_facts
"""
LETTERS = """
INSERT INTO letters (id, client_id, contact_id, currency, amount, locale, to_address, message_id, token, state,
                     subject, mime, looked_at, sending_at, accepted_at)
SELECT gen_random_uuid(), i.client_id, k.id, i.currency, i.amount_due, 'en', k.email, 'm' || i.id, md5('l' || i.id),
       CASE WHEN i.id %% 400 = 0 THEN 'failed' ELSE 'delivered' END, 's', convert_to(repeat('x', 500), 'UTF8'),
       at, at, at
  FROM invoices i JOIN contacts k ON k.client_id = i.client_id,
       LATERAL (SELECT i.closed_at - interval '20 minutes') AS sent (at)
 WHERE i.status = 'paid'
"""
"""Every paid invoice had a letter; one of two hundred was refused."""
LEDGER = """
INSERT INTO ledger_entries (kind, name, actor, started_at, ended_at, outcome)
SELECT 'job', 'nudge_pass', 'bench', now() - interval '1 day', now(), 'done'
  FROM generate_series(1, %(invoices)s / 10)
"""
WITHOUT_CARE = ("fsync = off", "full_page_writes = off", "max_wal_size = '8GB'")
"""Nobody needs these books after a crash. Only while they are made: what is measured is an ordinary server."""
PATIENCE_SECONDS = 600
WARM_UP = 3


def options(about: str, *, invoices: int, repetitions: int) -> argparse.Namespace:
    """What a bench may be told."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--invoices", type=int, default=invoices)
    parser.add_argument("--repetitions", type=int, default=repetitions)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


@contextmanager
def two_installations(
    told: argparse.Namespace,
    statements: Sequence[str],
    given: Mapping[str, Any],
    *,
    then: Callable[[Runtime], object],
) -> Iterator[tuple[Runtime, Runtime]]:
    """One with as many invoices as told, one with a tenth. `given` is bound beside `invoices`, `clients` and `seed`;
    `then` does what statements cannot."""
    with tempfile.TemporaryDirectory(prefix="np-bench-", ignore_cleanup_errors=True) as home:
        server = embedded.start(Path(home))
        made: list[Runtime] = []
        try:
            url = server.get_uri("postgres")
            _alter(url, [f"SET {one}" for one in WITHOUT_CARE])
            for name, invoices in (("large", told.invoices), ("small", told.invoices // 10)):
                values = {**given, "clients": invoices // 10, "invoices": invoices, "seed": told.seed}
                made.append(_installation(url, name, statements, values, Path(home), then))
            _alter(url, [f"RESET {one.split()[0]}" for one in WITHOUT_CARE])
            yield made[0], made[1]
        finally:
            for runtime in made:
                runtime.close()
            server.cleanup()


def _installation(
    url: str,
    name: str,
    statements: Sequence[str],
    given: Mapping[str, Any],
    home: Path,
    then: Callable[[Runtime], object],
) -> Runtime:
    began = time.monotonic()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    own = make_url(url).set(database=name).render_as_string(hide_password=False)
    runtime = build_runtime(
        Settings.load({"ENVIRONMENT": "test", "DATABASE_URL": own, "NUDGEPAY_HOME": str(home / name)})
    )
    migrate(runtime.db)
    with psycopg.connect(own, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement, given)
        connection.execute("VACUUM ANALYZE")
        then(runtime)
        connection.execute("CHECKPOINT")
    progress(f"{name}: {given['invoices']:,} invoices stored in {time.monotonic() - began:.0f} s")
    return runtime


def _alter(url: str, changes: Sequence[str]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for change in changes:
            connection.execute(f"ALTER SYSTEM {change}")
        connection.execute("SELECT pg_reload_conf()")


def medians(works: Mapping[str, Callable[[], object]], *, repetitions: int) -> dict[str, float]:
    """Seconds of each work, the works taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repetitions + WARM_UP):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if turn >= WARM_UP:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken) for name, taken in times.items()}


def milliseconds(middle: Mapping[str, float]) -> dict[str, float]:
    """The same to read, for information: no figure of its own is ever judged."""
    return {name: round(taken * 1000, 2) for name, taken in middle.items()}


def progress(line: str) -> None:
    """Say it at once: a bench takes minutes."""
    print(line, flush=True)
