"""Pages of invoices. What a page costs is what it shows, however many are stored: keyset pages over `invoice_index`,
whose indexes are made for exactly these orders, and counts that stop where nobody counts any more.
"""

from collections.abc import Mapping, Sequence
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
FIRST_PATIENCE_MS = 1_200
"""When the way through the order turns out to be long, what was searched for is gathered instead."""
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
_SHOWN = "JOIN invoices i ON i.id = listed.invoice_id JOIN clients c ON c.id = i.client_id"
_ALONE = "FROM invoice_index x"
_WITH_CLIENT = f"{_ALONE} JOIN clients c ON c.id = x.client_id"
_HAS_WORDS = "{}.words @@ to_tsquery('simple', :words)"
_FOUND = f"SELECT s.invoice_id FROM invoice_index s WHERE {_HAS_WORDS.format('s')}"  # noqa: S608  # constants only
_HELD = "SELECT r.invoice_id FROM reminders r WHERE r.state = 'planned' AND r.held_reason"
FEW_HELD = 5_000
FEW_HELD_AND_FOUND = 50_000
FEW_FOUND = 0.03
SAMPLE_PERCENT = 0.5
MOST_SAMPLED = 1_000
SETTINGS = """
SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true),
       set_config('max_parallel_workers_per_gather', '0', true)
"""
"""A list is planned for what is asked."""


def invoice_page(session: Session, filters: Filters, *, today: date, size: int = PAGE) -> InvoicePage:
    """The rows of one page, the next page's cursor, and how many there are. Raises ListTooSlow."""
    session.execute(text(SETTINGS))
    values = list_values(filters, today=today)
    order = filters.order
    keys = _columns(order)
    place = read_cursor(filters.after, order) if filters.after else None
    values |= {f"key{n}": key for n, key in enumerate(place or ())} | {"size": size + 1, "most": MOST_COUNTED + 1}
    source = Source(filters, _are_few_found(session, filters, values), _are_few_held(session, filters, values))
    rows: list[Row[Any]] = []
    count: int | None = None
    for attempt, patience in ((source, FIRST_PATIENCE_MS), (source.gathering, LONGEST_MS)):
        queries = _page_query(attempt, order, place is not None), _count_query(attempt)
        rows, count = _asked(session, queries, values, patience=patience)
        if count is not None:
            break
    if count is None:
        raise ListTooSlow("this list takes too long to find: search for more, or narrow it by a filter")
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
  (SELECT status, currency FROM invoice_index ORDER BY status, currency LIMIT 1)
  UNION ALL
  SELECT ahead.status, ahead.currency FROM found CROSS JOIN LATERAL (
    SELECT status, currency FROM invoice_index WHERE (status, currency) > (found.status, found.currency)
     ORDER BY status, currency LIMIT 1) ahead
)
SELECT DISTINCT currency FROM found ORDER BY currency
"""


def _asked(
    session: Session, queries: tuple[str, str], values: Mapping[str, Any], *, patience: int
) -> tuple[list[Row[Any]], int | None]:
    """The rows and their count, None when it took longer than `patience` (ms)."""
    try:
        with session.begin_nested():
            session.execute(text("SELECT set_config('statement_timeout', :ms, true)"), {"ms": str(patience)})
            rows = list(session.execute(text(queries[0]), values))
            count = session.scalar(text(queries[1]), values) or 0
            session.execute(text("SELECT set_config('statement_timeout', :ms, true)"), {"ms": str(LONGEST_MS)})
            return rows, count
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != CANCELED:
            raise
        return [], None


def _are_few_found(session: Session, filters: Filters, values: Mapping[str, Any]) -> bool:
    """By a sample that does not grow with the books: PostgreSQL does not know how common a word's beginning is."""
    if not filters.words:
        return False
    given = {**values, "few": FEW_FOUND, "percent": SAMPLE_PERCENT, "rows": MOST_SAMPLED}
    return bool(session.scalar(text(_SAMPLE), given))


_SAMPLE = f"""
SELECT count(*) FILTER (WHERE {_HAS_WORDS.format("x")}) <= count(*) * :few
  {_ALONE} TABLESAMPLE SYSTEM (
       (SELECT least(:percent, 100.0 * :rows / greatest(reltuples, 1))
          FROM pg_class WHERE oid = 'invoice_index'::regclass))
"""  # noqa: S608  # constants only


def _are_few_held(session: Session, filters: Filters, values: Mapping[str, Any]) -> bool:
    if not filters.reason:
        return False
    few = FEW_HELD_AND_FOUND if filters.words else FEW_HELD
    query = f"SELECT count(*) FROM ({_held(filters)} LIMIT :most) counted"  # noqa: S608  # our own pieces
    return (session.scalar(text(query), {**values, "most": few + 1}) or 0) <= few


def list_values(filters: Filters, *, today: date) -> dict[str, Any]:
    """What the conditions of a list want bound."""
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


@dataclass(frozen=True, slots=True)
class Source:
    """The conditions of a list, on `invoice_index x`, its values bound by `list_values`.

    Few invoices that are found by words or held for a reason are gathered by their index and put in order then; of
    many the next ones are met soon on the way through the order.
    """

    filters: Filters
    are_few_found: bool = False
    are_few_held: bool = False

    @property
    def gathering(self) -> "Source":
        """The same list by the other way: the fewer ones gathered first."""
        held = bool(self.filters.reason)
        return Source(self.filters, self.are_few_found or not held, self.are_few_held or held)

    @property
    def where(self) -> str:
        """The conditions."""
        filters = self.filters
        first, last = due_range(filters, date(2000, 1, 1))
        wanted = {
            "x.status = :status": filters.status != "all",
            "x.currency = :currency": filters.currency,
            "x.client_id = :client": filters.client is not None,
            "x.money_state = :money_state": filters.money_state,
            "x.due_on >= :first": first is not None,
            "x.due_on <= :last": last is not None,
            _among(_FOUND) if self.are_few_found else _HAS_WORDS_MET: filters.words,
            _among(_held(filters)) if self.are_few_held else _held_met(filters): filters.reason,
            "false": filters.q and not filters.words,
        }
        return " AND ".join(sql for sql, is_wanted in wanted.items() if is_wanted) or "true"


_HAS_WORDS_MET = f"({_HAS_WORDS.format('x')}) IS TRUE"
"""Said so that no index is asked for it: it is looked at on the way."""


def _held(filters: Filters) -> str:
    return f"{_HELD} IS NOT NULL" if filters.reason == ANY else f"{_HELD} = :reason"


def _held_met(filters: Filters) -> str:
    """OFFSET 0 keeps PostgreSQL from turning a look into a join. For any reason, steps are found by their invoice,
    and the few nudges that wait are gathered.
    """
    if filters.reason != ANY:
        return f"EXISTS ({_held(filters)} AND r.invoice_id = x.invoice_id OFFSET 0)"
    step = f"EXISTS ({_held(filters)} AND r.invoice_id = x.invoice_id AND r.nudge_key IS NULL OFFSET 0)"
    return f"({step} OR x.invoice_id IN ({_held(filters)} AND r.nudge_key IS NOT NULL))"


def _among(ids: str) -> str:
    """Gathered first, whatever PostgreSQL thinks of it."""
    return f"x.invoice_id = ANY (ARRAY ({ids}))"


def _count_query(source: Source) -> str:
    return f"SELECT count(*) FROM (SELECT {_ALONE} WHERE {source.where} LIMIT :most) counted"  # noqa: S608  # our own pieces


def _page_query(source: Source, order: str, is_continued: bool) -> str:
    """The ids and keys of one page, then what is shown of these alone."""
    listed = _listed(source, order, is_continued)
    by = _by(order, [f"listed.key{n}" for n in range(len(_columns(order)))])
    return f"SELECT {_COLUMNS}, listed.* FROM ({listed}) listed {_SHOWN} ORDER BY {by}"  # noqa: S608  # our own pieces


def _listed(source: Source, order: str, is_continued: bool) -> str:
    """Every status at once is one ordered page of each, and the first rows of all of them."""
    if source.filters.status != "all" or not order.endswith("due"):
        return _ordered(source, order, is_continued)
    parts = " UNION ALL ".join(f"({_ordered(source, order, is_continued, status=one)})" for one in STORED)
    by = _by(order, [f"key{n}" for n in range(len(_columns(order)))])
    return f"SELECT * FROM ({parts}) every ORDER BY {by} LIMIT :size"  # noqa: S608  # our own pieces


def _ordered(source: Source, order: str, is_continued: bool, *, status: str = "") -> str:
    columns = _columns(order)
    where = source.where
    if status:
        where += f" AND x.status = '{status}'"
    if is_continued:
        where += _behind(columns, "<" if order.startswith("-") else ">")
    keys = ", ".join(f"{column} AS key{n}" for n, column in enumerate(columns))
    tables = _WITH_CLIENT if columns == SORTS["client"].columns else _ALONE
    by = _by(order, columns)
    return f"SELECT x.invoice_id, {keys} {tables} WHERE {where} ORDER BY {by} LIMIT :size"  # our own pieces


def _columns(order: str) -> tuple[str, ...]:
    return SORTS[order.removeprefix("-")].columns


def _by(order: str, columns: Sequence[str]) -> str:
    return ", ".join(f"{column}{' DESC' if order.startswith('-') else ''}" for column in columns)


def _behind(columns: tuple[str, ...], sign: str) -> str:
    """Behind the cursor; the part of it that lies in one table is said apart, so that its index finds it."""
    bound = [f":key{n}" for n in range(len(columns))]
    found = f" AND ({', '.join(columns)}) {sign} ({', '.join(bound)})"
    if columns == SORTS["client"].columns:
        found += " AND (lower(c.name), c.id) >= (:key0, :key1)"
    return found
