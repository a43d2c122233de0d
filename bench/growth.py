"""Every periodic job, a payer's pages and the reads behind them, against themselves at a tenth of the stored rows.

    python bench/growth.py [--invoices 200000] [--repetitions 15] [--seed 1]

What is due is the same in both databases: nothing. Ratios of medians of interleaved repetitions in one run.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from books import (
    ALLOCATIONS,
    CLIENTS,
    CONTACTS,
    LEDGER,
    LETTERS,
    PAYMENTS,
    medians,
    milliseconds,
    options,
    progress,
    two_installations,
)
from figures import write
from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import log
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
from nudgepay.runtime import Runtime
from nudgepay.web.pay.finding import find_page
from nudgepay.web.ui.schedules.showing import COMPARED_CLIENTS, COMPARED_INVOICES

NOW = datetime(2026, 3, 10, 10, 0, tzinfo=UTC)
MUST = 1.5

INVOICES = """
INSERT INTO invoices (number, client_id, currency, amount_due, amount_paid, amount_remaining, status, money_state,
                      issued_on, due_on, token, next_at, closed_at)
SELECT 'A-' || n, 1 + n %% %(clients)s, 'EUR', 10000, CASE WHEN is_paid THEN 10000 ELSE 0 END,
       CASE WHEN is_paid THEN 0 ELSE 10000 END, CASE WHEN is_paid THEN 'paid' ELSE 'open' END,
       CASE WHEN is_paid THEN 'paid' ELSE 'unpaid' END, due_on - 30, due_on, md5('i' || n),
       CASE WHEN is_paid THEN NULL ELSE (due_on - 3)::timestamptz + interval '12 hours' END,
       CASE WHEN is_paid THEN %(now)s - interval '40 days' - n * interval '1 second' END
  FROM (SELECT n, n %% 2 = 0 AS is_paid, %(today)s + 7 + ((n::bigint * 7919 + %(seed)s) %% 80)::int AS due_on
          FROM generate_series(1, %(invoices)s) AS n) AS made
"""
REMINDERS = """
INSERT INTO reminders (invoice_id, client_id, step, schedule_version, state, due_at, look_at)
SELECT id, client_id, 'T-3', 1, 'accepted', now(), now() FROM invoices WHERE status = 'paid'
"""
EVENTS = """
INSERT INTO stripe_events (event_id, type, payload, handled_at, outcome)
SELECT 'evt_' || n, 'ping', '{}', now(), 'ignored' FROM generate_series(1, %(invoices)s / 2) AS n
"""

STATEMENTS = (CLIENTS, CONTACTS, INVOICES, PAYMENTS, ALLOCATIONS, LETTERS, REMINDERS, LEDGER, EVENTS)

Work = Callable[[Runtime], object]


def main() -> int:
    """Measure, print, write the evidence; 1 when a must is missed."""
    log.configure("ERROR")
    told = options(__doc__ or "", invoices=200_000, repetitions=15)
    given = {"now": NOW, "today": NOW.date()}
    with two_installations(told, STATEMENTS, given, then=lambda _: None) as (large, small):
        found = {name: _measure(name, work, large, small, told.repetitions) for name, work in _works().items()}
    ratios = {name: round(middle["large"] / middle["small"], 2) for name, middle in found.items()}
    write(
        "bench-growth",
        {
            "what": "median seconds at n over median seconds at n/10, nothing due",
            "n": {"invoices": told.invoices, "repetitions": told.repetitions},
            "seed": told.seed,
            "must": MUST,
            "ratios": ratios,
            "milliseconds_for_information": {name: milliseconds(middle) for name, middle in found.items()},
        },
    )
    missed = [name for name, ratio in ratios.items() if ratio > MUST]
    print("musts missed:", ", ".join(missed) or "none")
    return bool(missed)


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


def _measure(name: str, work: Work, large: Runtime, small: Runtime, repetitions: int) -> dict[str, float]:
    middle = medians({"large": lambda: work(large), "small": lambda: work(small)}, repetitions=repetitions)
    progress(f"{name}: growth {middle['large'] / middle['small']:.2f}")
    return middle


if __name__ == "__main__":
    sys.exit(main())
