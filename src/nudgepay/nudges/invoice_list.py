"""Pages of invoices. What a page costs is what it shows, however many are stored: keyset pages over indexes made
for exactly these orders, and counts that stop where nobody counts any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from nudgepay.errors import OperationalError
from nudgepay.nudges.invoice_filters import (
    ANY,
    SORTS,
    STORED,
    Filters,
    due_range,
    read_cursor,
    write_cursor,
)

PAGE = 50
MOST_COUNTED = 1_000
LONGEST_MS = 5_000
CANCELED = "57014"


class ListTooSlow(OperationalError):
    """The database gave up on a list that nobody would wait for."""


@dataclass(frozen=True, slots=True)
class InvoicePage:
    """One page. `count` stops at MOST_COUNTED + 1; `after` is the cursor of the next page, if there is one."""

    rows: list[Row[Any]]
    after: str | None
    count: int

    @property
    def is_bounded(self) -> bool:
        """True when there are more than were counted."""
        return self.count > MOST_COUNTED


_COLUMNS = """
i.id, i.number, i.version, i.client_id, c.name AS client, i.currency, i.amount_due, i.amount_paid, i.amount_remaining,
i.status, i.money_state, i.issued_on, i.due_on, i.paused_until, i.reminders_off_at, i.amnesty_at, i.autopay,
i.autopay_failed_at, coalesce(i.schedule_name, c.schedule_name, 'default') AS follows, c.timezone, c.country,
c.paused_until AS client_paused_until, c.reminders_off_at AS client_reminders_off_at, c.autopay AS client_autopay
"""
_JOINED = "FROM invoices i JOIN clients c ON c.id = i.client_id"
_SEARCHED = " JOIN invoice_search s ON s.invoice_id = i.id"


def invoice_page(session: Session, filters: Filters, *, today: date, size: int = PAGE) -> InvoicePage:
    """The rows of one page, the next page's cursor, and how many there are. Raises ListTooSlow."""
    _bound(session)
    values = _values(filters, today)
    order = filters.order
    keys = SORTS[order.removeprefix("-")].columns
    place = read_cursor(filters.after, order) if filters.after else None
    values |= {f"key{n}": key for n, key in enumerate(place or ())} | {"size": size + 1}
    query = _page_query(filters, order, place is not None)
    try:
        rows = list(session.execute(text(query), values))
        count = session.scalar(text(_count_query(filters)), {**values, "most": MOST_COUNTED + 1}) or 0
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != CANCELED:
            raise
        raise ListTooSlow("this list takes too long to find: search for more, or narrow it by a filter") from error
    after = None
    if len(rows) > size:
        rows = rows[:size]
        after = write_cursor(order, tuple(getattr(rows[-1], f"key{n}") for n in range(len(keys))))
    return InvoicePage(rows, after, count)


def known_currencies(session: Session) -> list[str]:
    """The currencies of the books, each found by one step through an index."""
    return list(session.scalars(text(_CURRENCIES)))


_CURRENCIES = """
WITH RECURSIVE found AS (
  (SELECT status, currency FROM invoices ORDER BY status, currency LIMIT 1)
  UNION ALL
  SELECT ahead.status, ahead.currency FROM found CROSS JOIN LATERAL (
    SELECT status, currency FROM invoices WHERE (status, currency) > (found.status, found.currency)
     ORDER BY status, currency LIMIT 1) ahead
)
SELECT DISTINCT currency FROM found ORDER BY currency
"""


def _bound(session: Session) -> None:
    """A list is for a person who waits: it is planned for what is asked, and given up before they do."""
    for name, value in (("statement_timeout", LONGEST_MS), ("plan_cache_mode", "force_custom_plan"), ("jit", "off")):
        session.execute(text("SELECT set_config(:name, :value, true)"), {"name": name, "value": str(value)})


def _values(filters: Filters, today: date) -> dict[str, Any]:
    first, last = due_range(filters, today)
    return {
        "words": " & ".join(f"'{word}':*" for word in filters.words),
        "status": "open" if filters.status == "overdue" else filters.status,
        "currency": filters.currency,
        "first": first,
        "last": last,
        "client": filters.client,
        "reason": filters.reason,
        "money_state": filters.money_state,
    }


def conditions(filters: Filters, *, with_status: bool = True) -> tuple[str, str]:
    """FROM and WHERE of a list; the values are bound by `list_values`."""
    first, last = due_range(filters, date(2000, 1, 1))
    wanted = {
        "i.status = :status": with_status and filters.status != "all",
        "i.currency = :currency": filters.currency,
        "i.client_id = :client": filters.client is not None,
        "i.money_state = :money_state": filters.money_state,
        "i.due_on >= :first": first is not None,
        "i.due_on <= :last": last is not None,
        "s.words @@ to_tsquery('simple', :words)": filters.words,
        "EXISTS (SELECT FROM reminders r WHERE r.invoice_id = i.id AND r.state = 'planned'"
        " AND r.held_reason = :reason)": filters.reason and filters.reason != ANY,
        "EXISTS (SELECT FROM reminders r WHERE r.invoice_id = i.id AND r.state = 'planned'"
        " AND r.held_reason IS NOT NULL)": filters.reason == ANY,
        "false": filters.q and not filters.words,
    }
    where = " AND ".join(sql for sql, is_wanted in wanted.items() if is_wanted) or "true"
    return _JOINED + (_SEARCHED if filters.words else ""), where


def list_values(filters: Filters, *, today: date) -> Mapping[str, Any]:
    """What `conditions` wants bound."""
    return _values(filters, today)


def _count_query(filters: Filters) -> str:
    joined, where = conditions(filters)
    return f"SELECT count(*) FROM (SELECT {joined} WHERE {where} LIMIT :most) counted"  # noqa: S608  # our own pieces


def _page_query(filters: Filters, order: str, is_continued: bool) -> str:
    """Every status at once is one ordered page of each, and the first rows of all of them."""
    if filters.status != "all" or not order.endswith("due"):
        return _ordered(filters, order, is_continued, status="")
    parts = " UNION ALL ".join(f"({_ordered(filters, order, is_continued, status=one)})" for one in STORED)
    count = len(SORTS["due"].columns)
    by = ", ".join(f"key{n}{_direction(order)}" for n in range(count))
    return f"SELECT * FROM ({parts}) every ORDER BY {by} LIMIT :size"  # noqa: S608  # our own pieces


def _ordered(filters: Filters, order: str, is_continued: bool, *, status: str) -> str:
    columns = SORTS[order.removeprefix("-")].columns
    joined, where = conditions(filters)
    if status:
        where += f" AND i.status = '{status}'"
    if is_continued:
        where += _behind(columns, "<" if order.startswith("-") else ">")
    keys = ", ".join(f"{column} AS key{n}" for n, column in enumerate(columns))
    by = ", ".join(f"{column}{_direction(order)}" for column in columns)
    return f"SELECT {_COLUMNS}, {keys} {joined} WHERE {where} ORDER BY {by} LIMIT :size"  # noqa: S608  # our own pieces


def _behind(columns: tuple[str, ...], sign: str) -> str:
    """Behind the cursor; the part of it that lies in one table is said apart, so that its index finds it."""
    bound = [f":key{n}" for n in range(len(columns))]
    found = f" AND ({', '.join(columns)}) {sign} ({', '.join(bound)})"
    if columns == SORTS["client"].columns:
        found += " AND (lower(c.name), c.id) >= (:key0, :key1)"
    return found


def _direction(order: str) -> str:
    return " DESC" if order.startswith("-") else ""
