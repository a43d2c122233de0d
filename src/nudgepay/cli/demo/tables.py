"""The tables at the end: what went out and why, what is silent and why, what was paid."""

from datetime import datetime
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.money import format_money

_LETTERS = """
SELECT l.sending_at, c.timezone, k.name AS person, c.name AS client, l.locale, l.amount, l.currency, l.state,
       string_agg(i.number || ' ' || r.step, ', ' ORDER BY i.due_on, i.id) AS why
  FROM letters l JOIN clients c ON c.id = l.client_id JOIN contacts k ON k.id = l.contact_id
  JOIN reminders r ON r.letter_id = l.id JOIN invoices i ON i.id = r.invoice_id
 GROUP BY l.id, c.id, k.id ORDER BY l.sending_at, l.id
"""

_SILENT = """
SELECT i.number, c.name AS client, r.step, coalesce(r.reason, r.held_reason) AS reason, r.held_until, c.timezone,
       r.state, i.amount_remaining, i.currency, c.locale
  FROM reminders r JOIN invoices i ON i.id = r.invoice_id JOIN clients c ON c.id = i.client_id
 WHERE (r.state = 'planned' AND r.held_reason IS NOT NULL)
    OR (r.state = 'skipped' AND r.reason <> 'superseded')
 ORDER BY r.state, reason, i.due_on, i.id
"""

_PAID = """
SELECT i.number, c.name AS client, f.provider, sum(a.amount)::bigint AS amount, f.currency, f.occurred_at, i.status,
       (SELECT count(*) FROM reminders r JOIN letters l ON l.id = r.letter_id
         WHERE r.invoice_id = i.id AND l.sending_at > f.occurred_at AND i.status = 'paid') AS chased_since
  FROM allocations a JOIN money_facts f ON f.id = a.fact_id JOIN invoices i ON i.id = a.invoice_id
  JOIN clients c ON c.id = i.client_id
 WHERE f.occurred_at >= :since
 GROUP BY i.id, c.id, f.id ORDER BY f.occurred_at
"""


def print_story(console: Console, db: Database, *, since: datetime) -> None:
    """All three tables; of money, what came since the story began."""
    console.print(_letters(db))
    console.print(_silent(db))
    console.print(_paid(db, since))


def _letters(db: Database) -> Table:
    table = _table(
        "Letters that went out", "when (reader's time)", "to", "language", "amount>", "invoice and step", "state"
    )
    with db.transaction() as session:
        for row in session.execute(text(_LETTERS)):
            local = row.sending_at.astimezone(ZoneInfo(row.timezone))
            amount = format_money(row.amount, row.currency, row.locale)
            to = f"{row.person}, {row.client}"
            table.add_row(f"{local:%a %d %b %H:%M}", to, row.locale, amount, row.why, row.state)
    return table


def _silent(db: Database) -> Table:
    table = _table("Silent, and why", "invoice", "client", "step", "open>", "reason", "until (reader's time)")
    with db.transaction() as session:
        for row in session.execute(text(_SILENT)):
            until = row.held_until.astimezone(ZoneInfo(row.timezone)) if row.held_until else None
            end = "ended" if row.state == "skipped" else f"{until:%a %d %b %H:%M}" if until else "a person decides"
            amount = format_money(row.amount_remaining, row.currency, row.locale)
            table.add_row(row.number, row.client, row.step, amount, row.reason.replace("_", " "), end)
    return table


def _paid(db: Database, since: datetime) -> Table:
    table = _table(
        "Money that came", "invoice", "client", "by", "amount>", "invoice is", "reminders since it was paid>"
    )
    with db.transaction() as session:
        for row in session.execute(text(_PAID), {"since": since}):
            way = {"stripe": "card (Stripe)", "bank": "bank transfer"}.get(row.provider, row.provider)
            amount = format_money(row.amount, row.currency, "en")
            chased = str(row.chased_since) if row.status == "paid" else "goes on for the rest"
            table.add_row(row.number, row.client, way, amount, row.status, chased)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        is_amount = column.endswith(">")
        table.add_column(column.rstrip(">"), justify="right" if is_amount else "left", no_wrap=is_amount)
    return table
