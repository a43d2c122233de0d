"""The operators' pages at a million invoices, against rendering the same template from memory, and against a tenth.

    python bench/pages.py [--invoices 1000000] [--repetitions 25] [--seed 1]

A page is asked of the application itself, signed in, as a server would ask it: session, transaction, reads, template.
Stored rows differ by ten between the two databases; what happened in the last 30 days, what is held and what needs a
person is the same. Ratios of medians of interleaved repetitions in one run.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from figures import write
from sqlalchemy import make_url, text

from nudgepay import embedded, log
from nudgepay.access.models import Operator
from nudgepay.access.sessions import start_session
from nudgepay.config import Settings
from nudgepay.invoices.owed import fold_totals
from nudgepay.runtime import Runtime, build_runtime
from nudgepay.schema_lifecycle.migrate import migrate
from nudgepay.web.app import create_app
from nudgepay.web.ui.cookies import Cookies
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.rendering import environment_for

MUSTS = {"template_over_page": 0.2, "growth": 1.5}
PATHS = {
    "today": "/",
    "what came in": "/payments",
    "what needs a person": "/tasks",
    "open invoices": "/invoices?status=open",
    "overdue in euros": "/invoices?status=open&currency=EUR&age=31-60",
    "held invoices": "/invoices?reason=disputed",
    "found invoices": "/invoices?q=00123",
    "clients": "/clients",
    "letters": "/letters",
}
"""Pages by name. One that this tree does not have is left out, and said."""
ANSWERS = {
    "search by number": "/search/results?q=RE-2026-0012",
    "search inside numbers": "/search/results?q=00123",
    "search by name": "/search/results?q=client+12",
    "search inside names": "/search/results?q=ent+4711",
    "search by amount": "/search/results?q=123.45",
    "search for nothing": "/search/results?q=zzzzzz",
}
"""Fragments of a few lines: rendering them is nothing to measure by, so only their growth is judged."""

RECENT, HELD, TASKS = 10_000, 2_000, 500
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
FACTS = """
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
       'delivered', 's', convert_to(repeat('x', 1500), 'UTF8'), at, at, at
  FROM invoices i JOIN contacts k ON k.client_id = i.client_id,
       LATERAL (SELECT i.closed_at - interval '20 minutes') AS sent (at)
 WHERE i.status = 'paid'
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
SWITCH = "INSERT INTO sending_switch (id, changed_by) VALUES (1, 'bench')"


@dataclass
class Desk:
    """One installation, and somebody signed in."""

    runtime: Runtime
    ask: Callable[[str], int]
    shown: list[tuple[Page, str, dict[str, Any]]]


def main() -> int:
    """Measure, print, write the evidence; 1 when a must is missed."""
    log.configure("ERROR")
    options = _options()
    with tempfile.TemporaryDirectory(prefix="np-bench-", ignore_cleanup_errors=True) as home:
        server = embedded.start(Path(home))
        try:
            url = server.get_uri("postgres")
            large = _desk(url, "large", options.invoices, options, Path(home))
            small = _desk(url, "small", options.invoices // 10, options, Path(home))
            asked = {**PATHS, **ANSWERS}
            found = {name: _measure(path, large, small, options.repetitions) for name, path in asked.items()}
            large.runtime.close()
            small.runtime.close()
        finally:
            server.cleanup()
    measured = {name: figures for name, figures in found.items() if figures}
    write(
        "bench-pages",
        {
            "what": "rendering from memory over the whole answer; the answer over itself at n/10",
            "n": {"invoices": options.invoices, "repetitions": options.repetitions},
            "of_the_last_30_days": {"payments": RECENT, "letters": RECENT, "held": HELD, "tasks": TASKS},
            "seed": options.seed,
            "musts": {"template_over_page": "at least 0.2, of pages", "growth": "at most 1.5"},
            "pages": measured,
            "not_in_this_tree": sorted(found.keys() - measured.keys()),
        },
    )
    missed = [name for name, figures in measured.items() if _misses(name, figures)]
    print("musts missed:", ", ".join(missed) or "none")
    return bool(missed)


def _misses(name: str, figures: dict[str, Any]) -> bool:
    is_slow = name in PATHS and figures["template_over_page"] < MUSTS["template_over_page"]
    return is_slow or figures["growth"] > MUSTS["growth"]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--invoices", type=int, default=1_000_000)
    parser.add_argument("--repetitions", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _desk(url: str, name: str, invoices: int, options: argparse.Namespace, home: Path) -> Desk:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    own = make_url(url).set(database=name).render_as_string(hide_password=False)
    runtime = build_runtime(
        Settings.load({"ENVIRONMENT": "test", "DATABASE_URL": own, "NUDGEPAY_HOME": str(home / name)})
    )
    migrate(runtime.db)
    given = {"clients": invoices // 10, "invoices": invoices, "seed": options.seed}
    given |= {"recent": RECENT, "held": HELD, "tasks": TASKS}
    statements = (CLIENTS, CONTACTS, INVOICES, FACTS, ALLOCATIONS, LETTERS, REMINDERS, HOLDS, NOTICES, SWITCH)
    with psycopg.connect(own, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement, given)
        with runtime.db.transaction() as session:
            fold_totals(session)
        connection.execute("VACUUM ANALYZE")
    return _sit_down(runtime)


def _sit_down(runtime: Runtime) -> Desk:
    with runtime.db.transaction() as session:
        operator = Operator(email="bench@desk.example", password_hash="-", role="superadmin", created_by="bench")
        session.add(operator)
        session.flush()
        token = start_session(session, operator.id, hours=20)
        session.execute(text("SELECT 1"))
    app, loop = create_app(runtime), asyncio.new_event_loop()
    cookie = f"{Cookies.of(runtime.settings).name('session')}={token}".encode()

    def ask(path: str) -> int:
        return loop.run_until_complete(_ask(app, path, cookie))

    shown: list[tuple[Page, str, dict[str, Any]]] = []
    return Desk(runtime, ask, shown)


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


def _measure(path: str, large: Desk, small: Desk, repetitions: int) -> dict[str, Any] | None:
    shown: list[tuple[Page, str, dict[str, Any]]] = []
    original = Page.show

    def watched(page: Page, template: str, *, status: int = 200, **values: Any) -> Any:
        shown.append((page, template, values))
        return original(page, template, status=status, **values)

    Page.show = watched  # type: ignore[method-assign]
    try:
        if large.ask(path) != 200 or small.ask(path) != 200:
            return None
    finally:
        Page.show = original  # type: ignore[method-assign]
    page, template, values = shown[0]
    made = environment_for(page.language).get_template(template)
    times: dict[str, list[float]] = {"template": [], "large": [], "small": []}
    works: dict[str, Callable[[], object]] = {
        "template": lambda: made.render(page=page, told=None, **values),
        "large": lambda: large.ask(path),
        "small": lambda: small.ask(path),
    }
    for turn in range(repetitions + 3):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if turn >= 3:
                times[name].append(time.perf_counter() - began)
    middle = {name: statistics.median(taken) for name, taken in times.items()}
    return {
        "template_over_page": round(middle["template"] / middle["large"], 2),
        "growth": round(middle["large"] / middle["small"], 2),
        "milliseconds_for_information": {name: round(taken * 1000, 2) for name, taken in middle.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
