"""How often anybody may try to sign in. Counted in PostgreSQL before a password is looked at, and never given back
but for a try that was right.

Each try counts against its account, its network and everywhere; from a device on which the person signed in before
it counts against that device alone, so that guessing elsewhere shuts nobody out. While anything is used up, no
password is compared at all. `docs/signing-in.md` has the numbers.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.access import refusals
from nudgepay.access.limits import Limit, Terms, Tries, counted, forgiven, limits_for, open_again_at


@dataclass(frozen=True, slots=True)
class Asking:
    """Who tries, as far as that is known before the password is looked at.

    `account` is `operators:7` or a keyed hash of what was typed; `device` the id of a device that the operator knows.
    """

    account: str
    network: str
    device: int | None = None

    @property
    def keys(self) -> dict[str, str]:
        """What the try counts against, by scope, in the order in which rows are locked."""
        if self.device is not None:
            return {"device": str(self.device)}
        return {"everywhere": "", "network": self.network, "account": self.account}


@dataclass(frozen=True, slots=True)
class Admitted:
    """A try that may be looked at; it counts as a wrong one until it is forgiven."""

    asking: Asking
    at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """A try that is not looked at. `is_news`: the first one since the scope was used up."""

    scope: str
    retry_after: int
    is_news: bool


_LOOK = """
SELECT l.*, clock_timestamp() AS at
  FROM sign_in_limits l JOIN unnest(CAST(:scopes AS text[]), CAST(:keys AS text[])) AS asked (scope, key)
    ON l.scope = asked.scope AND l.key = asked.key
"""
_LOCK = """
INSERT INTO sign_in_limits (scope, key) VALUES (:scope, :key)
ON CONFLICT (scope, key) DO UPDATE SET seen_at = clock_timestamp()
RETURNING *, clock_timestamp() AS at
"""
_WRITE = """
UPDATE sign_in_limits
   SET window_from = :window_from, window_count = :window_count, tries = :tries, counted_at = :counted_at
 WHERE scope = :scope AND key = :key
"""


def admit(session: Session, asking: Asking, *, terms: Terms) -> Admitted | Refused:
    """Count a try, or refuse it. Commit at once: what is counted must survive whatever becomes of the try."""
    limits = limits_for(terms)
    for read in (_look, _lock):
        rows = read(session, asking)
        shut = [found for row in rows if (found := _shut(row, limits[row.scope])) is not None]
        if shut:
            return _refuse(session, *max(shut, key=lambda one: one[1]), asking=asking)
    for row in rows:
        _write(session, row, counted(_tries(row), limits[row.scope], at=rows[-1].at))
    return Admitted(asking, rows[-1].at)


def forgive(session: Session, admitted: Admitted) -> None:
    """The try was right, or was never looked at: it alone counts no more. What others tried stays counted."""
    for row in _lock(session, admitted.asking):
        _write(session, row, forgiven(_tries(row), at=admitted.at))


def _look(session: Session, asking: Asking) -> list[Row[Any]]:
    """What is known, without waiting for anybody: enough to refuse a flood."""
    keys = asking.keys
    return list(session.execute(text(_LOOK), {"scopes": list(keys), "keys": list(keys.values())}))


def _lock(session: Session, asking: Asking) -> list[Row[Any]]:
    """The rows, made where there are none, and nobody else's until the end of the transaction."""
    return [session.execute(text(_LOCK), {"scope": scope, "key": key}).one() for scope, key in asking.keys.items()]


def _tries(row: Row[Any]) -> Tries:
    return Tries(row.window_from, row.window_count, tuple(row.tries), row.counted_at)


def _shut(row: Row[Any], limit: Limit) -> tuple[Row[Any], timedelta] | None:
    until = open_again_at(_tries(row), limit, at=row.at)
    return None if until is None else (row, until - row.at)


def _refuse(session: Session, row: Row[Any], left: timedelta, *, asking: Asking) -> Refused:
    is_news = refusals.note(session, row.scope, row.key, account=asking.account, tries=len(row.tries))
    return Refused(row.scope, max(1, ceil(left.total_seconds())), is_news)


def _write(session: Session, row: Row[Any], tries: Tries) -> None:
    values = {
        "scope": row.scope,
        "key": row.key,
        "window_from": tries.window_from,
        "window_count": tries.window_count,
        "tries": list(tries.times),
        "counted_at": tries.counted_at,
    }
    session.execute(text(_WRITE), values)
