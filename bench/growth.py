"""Every periodic job, a payer's pages and the reads behind them, against themselves at a tenth of the stored rows.

    python bench/growth.py [--invoices 200000] [--repetitions 15] [--seed 1]

What is due is the same in both databases: nothing. Ratios of medians of interleaved repetitions in one run.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
from figures import write
from sqlalchemy import make_url, text
from sqlalchemy.orm import Session

from nudgepay import embedded, log
from nudgepay.automation import jobs
from nudgepay.automation.backlog import late_queues, read_backlog
from nudgepay.automation.context import JobContext
from nudgepay.automation.schedule import SCHEDULE
from nudgepay.config import Settings
from nudgepay.nudges.differences import diff_schedule
from nudgepay.nudges.letters import list_letters
from nudgepay.nudges.mailings.digests import digest
from nudgepay.nudges.outlook import days_of, letters_of, load_outlook
from nudgepay.nudges.preview import span_ahead
from nudgepay.nudges.schedule_history import followers_of
from nudgepay.nudges.schedules import current_schedule, current_schedules, next_version
from nudgepay.nudges.terms import terms_of
from nudgepay.payments.account import account_of
from nudgepay.runtime import Runtime, build_runtime
from nudgepay.schema_lifecycle.migrate import migrate
from nudgepay.web.pay.finding import find_page
from nudgepay.web.ui.schedules.showing import COMPARED_CLIENTS, COMPARED_INVOICES

NOW = datetime(2026, 3, 10, 10, 0, tzinfo=UTC)
MUST = 1.5

CLIENTS = """
INSERT INTO clients (name, locale, timezone, country)
SELECT 'Client ' || n, 'en', 'Europe/Berlin', 'DE' FROM generate_series(1, %(clients)s) AS n
"""
CONTACTS = """
INSERT INTO contacts (client_id, name, email, token)
SELECT id, name, 'c' || id || '@client.example', md5('c' || id) FROM clients
"""
INVOICES = """
INSERT INTO invoices (number, client_id, currency, amount_due, amount_paid, amount_remaining, status, money_state,
                      issued_on, due_on, token, next_at, closed_at)
SELECT 'A-' || n, 1 + n %% %(clients)s, 'EUR', 10000, CASE WHEN is_paid THEN 10000 ELSE 0 END,
       CASE WHEN is_paid THEN 0 ELSE 10000 END, CASE WHEN is_paid THEN 'paid' ELSE 'open' END,
       CASE WHEN is_paid THEN 'paid' ELSE 'unpaid' END, due_on - 30, due_on, md5('i' || n),
       CASE WHEN is_paid THEN NULL ELSE (due_on - 3)::timestamptz + interval '12 hours' END,
       CASE WHEN is_paid THEN %(now)s - interval '30 days' END
  FROM (SELECT n, n %% 2 = 0 AS is_paid, %(today)s + 7 + ((n::bigint * 7919 + %(seed)s) %% 80)::int AS due_on
          FROM generate_series(1, %(invoices)s) AS n) AS made
"""
FACTS = """
INSERT INTO money_facts (provider, provider_id, kind, amount, currency, client_id, occurred_at, recorded_at, actor,
                         targets)
SELECT 'stripe', 'pi_' || id, 'payment', 10000, 'EUR', client_id, %(now)s - interval '30 days',
       %(now)s - interval '30 days', 'bench', jsonb_build_array(jsonb_build_object('invoice_id', id, 'amount', 10000))
  FROM invoices WHERE status = 'paid'
"""
ALLOCATIONS = """
INSERT INTO allocations (fact_id, invoice_id, amount)
SELECT id, (targets -> 0 ->> 'invoice_id')::bigint, 10000 FROM money_facts
"""
LETTERS = """
INSERT INTO letters (id, client_id, contact_id, currency, amount, locale, to_address, message_id, token, state,
                     subject, mime, looked_at, sending_at, accepted_at)
SELECT gen_random_uuid(), i.client_id, k.id, 'EUR', 10000, 'en', k.email, 'm' || i.id, md5('l' || i.id), 'delivered',
       's', 'x'::bytea, at, at, at
  FROM invoices i JOIN contacts k ON k.client_id = i.client_id,
       LATERAL (SELECT %(now)s - interval '40 days' - i.id * interval '1 second') AS sent (at)
 WHERE i.status = 'paid'
"""
REMINDERS = """
INSERT INTO reminders (invoice_id, client_id, step, schedule_version, state, due_at, look_at)
SELECT id, client_id, 'T-3', 1, 'accepted', now(), now() FROM invoices WHERE status = 'paid'
"""
LEDGER = """
INSERT INTO ledger_entries (kind, name, actor, started_at, ended_at, outcome)
SELECT 'job', 'nudge_pass', 'bench', now() - interval '1 day', now(), 'done'
  FROM generate_series(1, %(invoices)s / 10)
"""
EVENTS = """
INSERT INTO stripe_events (event_id, type, payload, handled_at, outcome)
SELECT 'evt_' || n, 'ping', '{{}}', now(), 'ignored' FROM generate_series(1, %(invoices)s / 2) AS n
"""

Work = Callable[[Runtime], object]


def main() -> int:
    """Measure, print, write the evidence; 1 when a must is missed."""
    log.configure("ERROR")
    options = _options()
    with tempfile.TemporaryDirectory(prefix="np-bench-", ignore_cleanup_errors=True) as home:
        server = embedded.start(Path(home))
        try:
            large = _installation(server.get_uri("postgres"), "large", options.invoices, options, Path(home))
            small = _installation(server.get_uri("postgres"), "small", options.invoices // 10, options, Path(home))
            found = {name: _ratio(work, large, small, options.repetitions) for name, work in _works().items()}
            large.close()
            small.close()
        finally:
            server.cleanup()
    ratios = {name: pair[0] for name, pair in found.items()}
    write(
        "bench-growth",
        {
            "what": "median seconds at n over median seconds at n/10, nothing due",
            "n": {"invoices": options.invoices, "repetitions": options.repetitions},
            "seed": options.seed,
            "must": MUST,
            "ratios": ratios,
            "milliseconds_for_information": {name: pair[1] for name, pair in found.items()},
        },
    )
    missed = [name for name, ratio in ratios.items() if ratio > MUST]
    print("musts missed:", ", ".join(missed) or "none")
    return bool(missed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--invoices", type=int, default=200_000)
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _installation(url: str, name: str, invoices: int, options: argparse.Namespace, home: Path) -> Runtime:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    own = make_url(url).set(database=name).render_as_string(hide_password=False)
    runtime = build_runtime(
        Settings.load({"ENVIRONMENT": "test", "DATABASE_URL": own, "NUDGEPAY_HOME": str(home / name)})
    )
    migrate(runtime.db)
    given = {
        "clients": invoices // 10,
        "invoices": invoices,
        "seed": options.seed,
        "now": NOW,
        "today": date(NOW.year, NOW.month, NOW.day),
    }
    with psycopg.connect(own, autocommit=True) as connection:
        for statement in (CLIENTS, CONTACTS, INVOICES, FACTS, ALLOCATIONS, LETTERS, REMINDERS, LEDGER, EVENTS):
            connection.execute(statement.replace("{{}}", "{}"), given)
        connection.execute("VACUUM ANALYZE")
    return runtime


def _works() -> dict[str, Work]:
    def job(name: str) -> Work:
        found = next(one for one in SCHEDULE if one.name == name)

        def run(runtime: Runtime) -> object:
            context = JobContext(runtime, NOW, "bench")
            return found.run(context) if found.is_needed(context) else None

        return run

    def reading(read: Callable[..., object]) -> Work:
        def run(runtime: Runtime) -> object:
            with runtime.db.transaction() as session:
                return read(session)

        return run

    terms = terms_of(Settings.load({"ENVIRONMENT": "test"}))
    thanking = replace(jobs.mailing_terms(Settings.load({"ENVIRONMENT": "test"})), thanks=True)
    token = text("SELECT token FROM invoices WHERE number = 'A-101'")
    return {f"job {one.name}": job(one.name) for one in SCHEDULE} | {
        "queues": reading(read_backlog),
        "readiness": reading(lambda session: late_queues(session, patience=timedelta(minutes=15))),
        "mailings owed": reading(lambda session: jobs.is_anything_owed(session, thanking, now=NOW)),
        "digest": reading(lambda session: digest(session, since=NOW - timedelta(days=1), terms=terms, now=NOW)),
        "payer's page": reading(lambda session: find_page(session, session.scalar(token), now=NOW)),
        "statement": reading(lambda session: account_of(session, 7, today=NOW.date(), now=NOW)),
        "letters list": reading(lambda session: list_letters(session, limit=50)),
        "plan page": reading(_days_ahead),
        "difference of a schedule": reading(_difference),
        "schedules page": reading(_followers),
    }


def _days_ahead(session: Session) -> object:
    """What the plan's page reads and works out."""
    settings = Settings.load({"ENVIRONMENT": "test"})
    found = load_outlook(session, settings, now=NOW)
    return days_of(session, found, letters_of(found.lines), zone=ZoneInfo("Europe/Berlin"), country="DE")


def _followers(session: Session) -> object:
    """What the list of schedules counts."""
    return [followers_of(session, name) for name in current_schedules(session)]


def _difference(session: Session) -> object:
    """What the page before a schedule is saved works out."""
    settings = Settings.load({"ENVIRONMENT": "test"})
    span = span_ahead(session, settings, now=NOW, days=60)
    most = {"most_clients": COMPARED_CLIENTS, "most_invoices": COMPARED_INVOICES}
    steps = current_schedule(session, "default").steps[:-1]
    return diff_schedule(session, "default", steps, version=next_version(session), span=span, **most)


def _ratio(work: Work, large: Runtime, small: Runtime, repetitions: int) -> tuple[float, list[float]]:
    times: dict[str, list[float]] = {"large": [], "small": []}
    for turn in range(repetitions + 2):
        for name, runtime in (("large", large), ("small", small)):
            began = time.perf_counter()
            work(runtime)
            if turn >= 2:
                times[name].append(time.perf_counter() - began)
    middle = {name: statistics.median(values) for name, values in times.items()}
    shown = [round(middle[name] * 1000, 2) for name in ("large", "small")]
    return round(middle["large"] / middle["small"], 2), shown


if __name__ == "__main__":
    sys.exit(main())
