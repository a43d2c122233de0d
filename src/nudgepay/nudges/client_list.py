"""Clients as a list for people: found by parts of names and addresses, one page at a time, with how each one stands.

A page costs what it shows: clients come from an index in the list's order, and sums are made for those shown only.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.invoices.searching import LEAST_INSIDE, NAME, PERSON, after_all_that_begin_with, grams_of

PAGE = 50
COUNTED = 1_000
"""A list counts no further than this."""
MOST_WORDS = 6
MOST_BLOCKED = 20_000
"""So many unreachable clients are looked at, and no more."""
_WORD = re.compile(r"[^\W_]+")
_HITS = """
SELECT DISTINCT id FROM (
  (SELECT c.id FROM clients c WHERE {named} LIMIT :most)
  UNION ALL (SELECT k.client_id FROM contacts k WHERE {personal} AND k.removed_at IS NULL LIMIT :most)
  UNION ALL (SELECT c.id FROM clients c WHERE c.external_id = :exact)) AS hits (id)
"""
_ADDRESS = "lower(k.email)"
_HOLDS = "search_grams({}) @> CAST(:grams AS text[])"
_MET, _MET_FIRST = "strpos({}, :word{}) > 0", "{} ~ :word{}"
_BEGINS = "{0} ~>=~ :low AND (CAST(:high AS text) IS NULL OR {0} ~<~ :high)"
_BLOCKED_IDS = """
SELECT DISTINCT id FROM (
  (SELECT k.client_id FROM suppressions s JOIN contacts k ON lower(k.email) = s.address
    WHERE s.lifted_at IS NULL AND k.removed_at IS NULL LIMIT :most_blocked)
  UNION ALL (SELECT k.client_id FROM contacts k
              WHERE k.wrong_person_at IS NOT NULL AND k.removed_at IS NULL LIMIT :most_blocked)) AS hits (id)
"""
VIEWS: dict[str, str] = {
    "all": "true",
    "owing": "EXISTS (SELECT FROM invoices i WHERE i.client_id = c.id AND i.status = 'open')",
    "blocked": "c.id = ANY(:blocked)",
    "off": "c.reminders_off_at IS NOT NULL",
    "paused": "c.paused_until IS NOT NULL AND c.paused_until >= :today",
    "autopay": "c.autopay",
}
"""What may be looked at, and which clients it holds."""
ORDERS: dict[str, tuple[str, str]] = {
    "name": ("lower(c.name), c.id", "(lower(c.name), c.id) > (:after_name, :after)"),
    "new": ("c.id DESC", "c.id < :after"),
}
"""How it may be sorted, and what comes after a client."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What is open in one currency (minor units), how many invoices that is, and since when the oldest is late."""

    currency: str
    open: int
    count: int
    overdue_since: date | None


@dataclass(frozen=True, slots=True)
class ListedClient:
    """One row. `blocked` is why somebody at the client is not written to, the worst of it."""

    id: int
    name: str
    external_id: str | None
    reminders_off: bool
    paused_until: date | None
    autopay: bool
    balances: tuple[Balance, ...]
    letter_at: datetime | None
    letter_state: str | None
    blocked: str | None

    @property
    def count(self) -> int:
        """Open invoices in all."""
        return sum(one.count for one in self.balances)

    @property
    def overdue_since(self) -> date | None:
        """The due day of the oldest overdue invoice."""
        return min((one.overdue_since for one in self.balances if one.overdue_since), default=None)


@dataclass(frozen=True, slots=True)
class ClientPage:
    """One page; `after` leads to the next one. `count` is at most COUNTED + 1, which means more than COUNTED.

    `is_partial`: the search finds more than that, and only so many of them were looked at.
    """

    clients: tuple[ListedClient, ...]
    after: int | None
    count: int
    is_partial: bool = False


def find_clients(
    session: Session,
    *,
    today: date,
    query: str = "",
    view: str = "all",
    order: str = "name",
    after: int | None = None,
    limit: int = PAGE,
) -> ClientPage:
    """Clients whose name, or one of whose people, holds every word of `query`, and the one whose key it is. Words of
    one or two signs stand at the beginning. Unknown views and orders are the first.

    `today` decides what is late and what is still paused.
    """
    given: dict[str, Any] = {"today": today, "limit": limit + 1, "most": COUNTED + 1}
    conditions = [VIEWS.get(view, VIEWS["all"])]
    if view == "blocked":
        given["blocked"] = list(session.scalars(text(_BLOCKED_IDS), {"most_blocked": MOST_BLOCKED}))
    is_partial = False
    if query.strip():
        hits = _hits(session, given, query)
        is_partial = len(hits) > COUNTED
        given["hits"] = hits[:COUNTED]
        conditions.append("c.id = ANY(:hits)")
    counted = COUNTED + 1 if is_partial else _count(session, conditions, given)
    sorting, beyond = ORDERS.get(order, ORDERS["name"])
    if after is not None:
        name = session.scalar(text("SELECT lower(name) FROM clients WHERE id = :id"), {"id": after})
        given |= {"after": after, "after_name": name or ""}
        conditions.append(beyond)
    statement = f"SELECT c.* FROM clients c WHERE {' AND '.join(conditions)} ORDER BY {sorting} LIMIT :limit"  # noqa: S608  # allow-lists
    rows = session.execute(text(statement), given).all()
    shown = rows[:limit]
    following = shown[-1].id if len(rows) > limit else None
    return ClientPage(_described(session, shown, today), following, counted, is_partial)


def _hits(session: Session, given: dict[str, Any], query: str) -> list[int]:
    """At most one more than COUNTED of them: a search that finds more wants another letter, not more work."""
    words = _WORD.findall(query.lower())[:MOST_WORDS]
    if not words:
        return []
    long = [word for word in words if len(word) >= LEAST_INSIDE]
    name, person = NAME.format("c"), PERSON.format("k")
    ways = (_HOLDS.format(name), _HOLDS.format(person)) if long else (_BEGINS.format(name), _BEGINS.format(_ADDRESS))
    named, personal = [ways[0]], [ways[1]]
    given["grams"] = sorted({gram for word in long for gram in grams_of(word)})
    given |= {"exact": query.replace("\x00", "").strip(), "low": words[0]}
    given["high"] = after_all_that_begin_with(words[0])
    for n, word in enumerate(words):
        met, given[f"word{n}"] = (_MET, word) if word in long else (_MET_FIRST, rf"\m{word}")
        named.append(met.format(name, n))
        personal.append(met.format(person, n))
    query_of_all = _HITS.format(named=" AND ".join(named), personal=" AND ".join(personal))
    return list(session.scalars(text(query_of_all), given))[: COUNTED + 1]


def _count(session: Session, conditions: Sequence[str], given: dict[str, Any]) -> int:
    inner = f"SELECT FROM clients c WHERE {' AND '.join(conditions)} LIMIT {COUNTED + 1}"
    return session.scalar(text(f"SELECT count(*) FROM ({inner}) AS found"), given) or 0  # noqa: S608  # allow-lists


_BALANCES = """
SELECT client_id, currency, sum(amount_remaining)::bigint AS open, count(*) AS items,
       min(due_on) FILTER (WHERE due_on < :today) AS overdue_since
  FROM invoices WHERE client_id = ANY(:ids) AND status = 'open' AND amount_remaining > 0
 GROUP BY client_id, currency ORDER BY client_id, currency
"""
_LAST_LETTERS = """
SELECT one.id, l.sending_at, l.state FROM unnest(CAST(:ids AS bigint[])) AS one (id), LATERAL (
       SELECT sending_at, state FROM letters
        WHERE client_id = one.id AND state NOT IN ('planned', 'cancelled') ORDER BY sending_at DESC LIMIT 1) AS l
"""
_BLOCKS = """
SELECT k.client_id, coalesce(
       (SELECT min(s.reason) FROM suppressions s WHERE s.address = lower(k.email) AND s.lifted_at IS NULL),
       'wrong_person') AS reason
  FROM contacts k
 WHERE k.client_id = ANY(:ids) AND k.removed_at IS NULL
   AND (k.wrong_person_at IS NOT NULL
        OR EXISTS (SELECT FROM suppressions s WHERE s.address = lower(k.email) AND s.lifted_at IS NULL))
"""


def _described(session: Session, rows: Sequence[Row[Any]], today: date) -> tuple[ListedClient, ...]:
    given = {"ids": [row.id for row in rows], "today": today}
    balances: dict[int, list[Balance]] = defaultdict(list)
    for row in session.execute(text(_BALANCES), given):
        balances[row.client_id].append(Balance(row.currency, row.open, row.items, row.overdue_since))
    letters = {row.id: row for row in session.execute(text(_LAST_LETTERS), given)}
    blocks = {row.client_id: row.reason for row in session.execute(text(_BLOCKS), given)}
    return tuple(
        ListedClient(
            id=row.id,
            name=row.name,
            external_id=row.external_id,
            reminders_off=row.reminders_off_at is not None,
            paused_until=row.paused_until if row.paused_until and row.paused_until >= today else None,
            autopay=row.autopay,
            balances=tuple(balances.get(row.id, ())),
            letter_at=letters[row.id].sending_at if row.id in letters else None,
            letter_state=letters[row.id].state if row.id in letters else None,
            blocked=blocks.get(row.id),
        )
        for row in rows
    )
