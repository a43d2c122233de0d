"""How we stand with Stripe, from our own rows: what waits, what came last, what the last comparison found."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.payments.sweep import NAME

MOST_EVENTS = 12
CAP = 1_000
"""Rows counted at most."""


@dataclass(frozen=True, slots=True)
class EventSeen:
    """One event. `outcome` is None while it waits; `error` is why its last try failed."""

    event_id: str
    type: str
    received_at: datetime
    handled_at: datetime | None
    outcome: str | None
    error: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class StripeStanding:
    """`waiting` events, the oldest since `oldest_at`; `drift`: open differences; `sweep`: the last comparison."""

    waiting: int
    oldest_at: datetime | None
    drift: int
    sweep_at: datetime | None
    sweep: dict[str, Any]
    events: tuple[EventSeen, ...]


_COUNTS = """
SELECT (SELECT count(*) FROM (SELECT FROM stripe_events WHERE handled_at IS NULL LIMIT :cap) AS w) AS waiting,
       (SELECT min(received_at) FROM stripe_events WHERE handled_at IS NULL) AS oldest_at,
       (SELECT count(*) FROM (SELECT FROM notices WHERE resolved_at IS NULL AND kind = 'stripe.drift'
                               LIMIT :cap) AS d) AS drift
"""
_SWEEP = """
SELECT started_at, details FROM ledger_entries
 WHERE kind = 'job' AND name = :name AND outcome = 'done' AND details ? 'events_found'
 ORDER BY started_at DESC LIMIT 1
"""
_EVENTS = """
(SELECT event_id, type, received_at, handled_at, outcome, error, attempts FROM stripe_events
  WHERE handled_at IS NULL ORDER BY next_try_at LIMIT :most)
UNION ALL
(SELECT event_id, type, received_at, handled_at, outcome, error, attempts FROM stripe_events
  WHERE handled_at IS NOT NULL ORDER BY handled_at DESC LIMIT :most)
"""


def read_stripe_standing(session: Session) -> StripeStanding:
    """Everything that the books know about Stripe's health. Asks nobody outside."""
    counts = session.execute(text(_COUNTS), {"cap": CAP + 1}).one()
    sweep = session.execute(text(_SWEEP), {"name": NAME}).one_or_none()
    rows = session.execute(text(_EVENTS), {"most": MOST_EVENTS}).all()
    return StripeStanding(
        waiting=counts.waiting,
        oldest_at=counts.oldest_at,
        drift=counts.drift,
        sweep_at=sweep.started_at if sweep else None,
        sweep=dict(sweep.details) if sweep else {},
        events=tuple(EventSeen(*row) for row in rows[:MOST_EVENTS]),
    )
