"""The operators' pages at a million invoices, against rendering the same template from memory, and against a tenth;
and what it costs to write invoices with what lists and searches need of them.

    python bench/pages.py [--invoices 1000000] [--repetitions 11] [--seed 1]

A page is asked of the application itself, signed in, as a server would ask it: session, transaction, reads, template.
Stored rows differ by ten between the two databases; what happened in the last 30 days, what is held and what needs a
person is the same. Ratios of medians of interleaved repetitions in one run.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from books import (
    ALLOCATIONS,
    CLIENTS,
    CONTACTS,
    LEDGER,
    LETTERS,
    PATIENCE_SECONDS,
    PAYMENTS,
    medians,
    milliseconds,
    options,
    progress,
    two_installations,
)
from figures import write

from nudgepay import clock, log
from nudgepay.access.models import Operator
from nudgepay.access.sessions import start_session
from nudgepay.db import Database, libpq_url
from nudgepay.insights.closing import run_closing
from nudgepay.invoices.owed import fold_totals
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from nudgepay.web.ui.cookies import Cookies
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.rendering import environment_for

MUSTS = {"template_over_page": 0.2, "growth": 1.5, "insert_over_plain": 4.0}
PATHS = {
    "today": "/",
    "what came in": "/payments",
    "what needs a person": "/tasks",
    "open invoices": "/invoices?status=open",
    "overdue in euros": "/invoices?status=open&currency=EUR&age=31-60",
    "held invoices": "/invoices?reason=disputed",
    "found invoices": "/invoices?q=00123",
    "clients": "/clients",
    "found clients": "/clients?q=ent+4711",
    "letters": "/letters",
    "letters that failed": "/letters?state=failed",
    "runs": "/runs",
    "insights": "/insights",
    "operations": "/operations",
    "ledger of operations": "/operations/ledger",
}
"""Pages by name."""
WORKED_OUT = {"plan": "/plan"}
"""Asks the engine for sixty days of 120 clients, whatever is stored; only its growth is judged."""
ANSWERS = {
    "search by number": "/search/results?q=RE-2026-0012",
    "search inside numbers": "/search/results?q=00123",
    "search by name": "/search/results?q=client+12",
    "search inside names": "/search/results?q=ent+4711",
    "search by amount": "/search/results?q=123.45",
    "search for nothing": "/search/results?q=zzzzzz",
}
"""Fragments of a few lines: rendering them is nothing to measure by, so only their growth is judged."""

RECENT, HELD, TASKS, RUNS = 10_000, 2_000, 500, 200
ADDED = 5_000
"""Invoices written at once, to compare."""
INVOICES = """
INSERT INTO invoices (number, client_id, currency, amount_due, amount_paid, amount_remaining, status, money_state,
                      issued_on, due_on, token, next_at, closed_at)
SELECT 'RE-2026-' || lpad(n::text, 7, '0'), 1 + n / 2 %% %(clients)s, currency, amount,
       CASE WHEN is_paid THEN amount ELSE 0 END, CASE WHEN is_paid THEN 0 ELSE amount END,
       CASE WHEN is_paid THEN 'paid' ELSE 'open' END, CASE WHEN is_paid THEN 'paid' ELSE 'unpaid' END,
       due_on - 30, due_on, md5('i' || n), CASE WHEN NOT is_paid AND due_on > current_date + 3
         THEN (due_on - 3)::timestamptz + interval '9 hours' END, CASE WHEN is_paid THEN happened END
  FROM (SELECT n, n %% 2 = 0 AS is_paid, 10000 + (n::bigint * 7919 + %(seed)s) %% 90000 AS amount,
               (ARRAY['EUR', 'EUR', 'EUR', 'USD', 'JPY'])[1 + n / 2 %% 5] AS currency,
               current_date - 120 + ((n::bigint * 104729 + %(seed)s) %% 180)::int AS due_on,
               now() - interval '1 hour' - CASE
                 WHEN n <= 2 * %(recent)s THEN interval '29 days' * n / (2 * %(recent)s)
                 ELSE interval '40 days' + interval '600 days' * n / %(invoices)s END AS happened
          FROM generate_series(1, %(invoices)s) AS n) AS made
"""
REMINDERS = """
INSERT INTO reminders (invoice_id, client_id, step, schedule_version, state, due_at, look_at)
SELECT i.id, i.client_id, step.code, 1, 'delivered', i.due_on + step.days, i.due_on + step.days
  FROM invoices i JOIN (VALUES ('T-3', -3), ('DUE', 0), ('+3', 3), ('+7', 7)) AS step (code, days)
    ON i.due_on + step.days < current_date - 3 AND (i.status = 'open' OR step.days < 0)
"""
"""Every step whose day has come has left; a paid invoice had one letter."""
HOLDS = """
INSERT INTO reminders (invoice_id, client_id, step, schedule_version, due_at, look_at, held_reason, held_until,
                       nudge_key)
SELECT id, client_id, 'manual', 1, now() - interval '1 day', now() + interval '1 hour', reason,
       CASE WHEN reason = 'contact_gap' THEN now() + interval '1 hour' END, 'k' || id
  FROM (SELECT id, client_id, ('{contact_gap,disputed,promised_until,no_recipient,review}'::text[])[1 + id %% 5]
               AS reason FROM invoices WHERE status = 'open' ORDER BY id LIMIT %(held)s) AS waiting
"""
NOTICES = """
INSERT INTO notices (kind, dedup_key, details, created_at)
SELECT (ARRAY['letter.unknown', 'promise.broken', 'dispute.opened', 'payment.unapplied_credit'])[1 + n %% 4],
       'n' || n, jsonb_build_object('invoice_id', n, 'client_id', n), now() - n * interval '1 hour'
  FROM generate_series(1, %(tasks)s) AS n
"""
RAN = """
INSERT INTO runs (id, now, started_at, ended_at, counts)
SELECT gen_random_uuid(), at, at, at + interval '2 seconds',
       jsonb_build_object('planned', n %% 40, 'letters', n %% 30, 'accepted', n %% 30)
  FROM generate_series(1, %(runs)s + %(invoices)s / 100) AS n,
       LATERAL (SELECT now() - n * interval '1 hour') AS past (at)
"""
SWITCH = "INSERT INTO sending_switch (id, changed_by) VALUES (1, 'bench')"
STATEMENTS = (
    CLIENTS,
    CONTACTS,
    INVOICES,
    PAYMENTS,
    ALLOCATIONS,
    LETTERS,
    REMINDERS,
    HOLDS,
    NOTICES,
    RAN,
    LEDGER,
    SWITCH,
)
PLAIN = """
ALTER TABLE invoices DISABLE TRIGGER index_of_added; ALTER TABLE invoices DISABLE TRIGGER totals_of_added
"""
ADD = f"""
INSERT INTO invoices (number, client_id, currency, amount_due, amount_remaining, issued_on, due_on, token)
SELECT 'NEW-' || lpad(n::text, 7, '0'), 1 + n %% 1000, 'EUR', 10000 + n, 10000 + n, current_date - 5,
       current_date + (n %% 60), md5('new' || n) FROM generate_series(1, {ADDED}) AS n
"""  # a number of ours


@dataclass
class Desk:
    """One installation, and somebody signed in."""

    runtime: Runtime
    ask: Callable[[str], int]


def main() -> int:
    """Measure, print, write the evidence; 1 when a must is missed."""
    log.configure("ERROR")
    told = options(__doc__ or "", invoices=1_000_000, repetitions=11)
    given = {"recent": RECENT, "held": HELD, "tasks": TASKS, "runs": RUNS}
    with two_installations(told, STATEMENTS, given, then=_settle) as installed:
        large, small = (_sit_down(runtime) for runtime in installed)
        asked = {**PATHS, **WORKED_OUT, **ANSWERS}
        found = {name: _measure(name, path, large, small, told.repetitions) for name, path in asked.items()}
        inserting = _insert_over_plain(large.runtime)
    write(
        "bench-pages",
        {
            "what": "rendering from memory over the whole answer; the answer over itself at n/10;"
            f" {ADDED} invoices more, over the same without what lists and searches need",
            "n": {"invoices": told.invoices, "repetitions": told.repetitions},
            "of_the_last_30_days": {"payments": RECENT, "letters": RECENT, "held": HELD, "tasks": TASKS},
            "seed": told.seed,
            "musts": {
                "template_over_page": f"at least {MUSTS['template_over_page']}, of: {', '.join(PATHS)}",
                "growth": f"at most {MUSTS['growth']}",
                "insert_over_plain": f"at most {MUSTS['insert_over_plain']}",
            },
            "pages": found,
            "insert_over_plain": inserting,
        },
    )
    missed = [name for name, figures in found.items() if _misses(name, figures)]
    missed += ["insert_over_plain"] if inserting > MUSTS["insert_over_plain"] else []
    print("musts missed:", ", ".join(missed) or "none")
    return bool(missed)


def _misses(name: str, figures: dict[str, Any]) -> bool:
    is_slow = name in PATHS and figures["template_over_page"] < MUSTS["template_over_page"]
    return is_slow or figures["growth"] > MUSTS["growth"]


def _settle(runtime: Runtime) -> None:
    """What jobs would have done by now: sums folded, months closed."""
    patient = Database(runtime.db.url, patience_seconds=PATIENCE_SECONDS)
    with patient.transaction() as session:
        fold_totals(session)
    run_closing(patient, now=clock.now(), zone=ZoneInfo(runtime.settings.business_timezone))
    patient.close()


def _sit_down(runtime: Runtime) -> Desk:
    with runtime.db.transaction() as session:
        operator = Operator(email="bench@desk.example", password_hash="-", role="superadmin", created_by="bench")
        session.add(operator)
        session.flush()
        token = start_session(session, operator.id, hours=20)
    app, loop = create_app(runtime), asyncio.new_event_loop()
    cookie = f"{Cookies.of(runtime.settings).name('session')}={token}".encode()

    def ask(path: str) -> int:
        return loop.run_until_complete(_ask(app, path, cookie))

    return Desk(runtime, ask)


async def _ask(app: Any, path: str, cookie: bytes) -> int:
    route, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": route,
        "raw_path": route.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"cookie", cookie), (b"accept", b"text/html")],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
    }
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(scope, receive, send)
    return status


def _measure(name: str, path: str, large: Desk, small: Desk, repetitions: int) -> dict[str, Any]:
    shown: list[tuple[Page, str, dict[str, Any]]] = []
    original = Page.show

    def watched(page: Page, template: str, *, status: int = 200, **values: Any) -> Any:
        shown.append((page, template, values))
        return original(page, template, status=status, **values)

    Page.show = watched  # type: ignore[method-assign]
    try:
        answers = large.ask(path), small.ask(path)
    finally:
        Page.show = original  # type: ignore[method-assign]
    if answers != (200, 200):
        raise SystemExit(f"{path} answers {answers}: name a page that is there")
    page, template, values = shown[0]
    made = environment_for(page.language).get_template(template)
    works: dict[str, Callable[[], object]] = {
        "template": lambda: made.render(page=page, told=None, **values),
        "large": lambda: large.ask(path),
        "small": lambda: small.ask(path),
    }
    middle = medians(works, repetitions=repetitions)
    figures = {
        "template_over_page": round(middle["template"] / middle["large"], 2),
        "growth": round(middle["large"] / middle["small"], 2),
        "milliseconds_for_information": milliseconds(middle),
    }
    progress(f"{name}: {figures['template_over_page']} of the page is its template, growth {figures['growth']}")
    return figures


def _insert_over_plain(runtime: Runtime) -> float:
    """Writing invoices, over writing them with the triggers switched off; all of it is taken back."""
    with psycopg.connect(libpq_url(runtime.db.url)) as connection:

        def add(*before: str) -> None:
            for statement in (*before, ADD.replace("%%", "%")):
                connection.execute(statement)
            connection.rollback()

        middle = medians({"plain": lambda: add(PLAIN), "whole": add}, repetitions=5)
    progress(f"inserting {ADDED} invoices: {middle['whole'] / middle['plain']:.2f} of plain")
    return round(middle["whole"] / middle["plain"], 2)


if __name__ == "__main__":
    sys.exit(main())
