"""What waits, asked of the rows: figures for the metrics, and whether anything has waited too long."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

CAP = 10_000
"""Rows counted at most; a longer queue reads as this. Its oldest row is found all the same."""
BOUND = """
SELECT set_config('statement_timeout', '2s', true), set_config('plan_cache_mode', 'force_custom_plan', true)
"""
"""Planned for what is asked: a plan for any instant reads whole tables for rows that are not there."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One queue: how many rows wait, and for how many seconds the oldest has."""

    queue: str
    count: int
    oldest_seconds: float


_QUEUES = {
    "planning": (
        "invoices WHERE next_at <= statement_timestamp()",
        "SELECT next_at FROM invoices WHERE next_at <= statement_timestamp() ORDER BY next_at LIMIT 1",
    ),
    "reminders": (
        "reminders WHERE state = 'planned' AND look_at <= statement_timestamp()",
        "SELECT look_at FROM reminders WHERE state = 'planned' AND look_at <= statement_timestamp()"
        " ORDER BY look_at LIMIT 1",
    ),
    "stripe_events": (
        "stripe_events WHERE handled_at IS NULL",
        "SELECT min(received_at) FROM stripe_events WHERE handled_at IS NULL",
    ),
    "unknown_letters": (
        "letters WHERE state = 'unknown'",
        "SELECT min(sending_at) FROM letters WHERE state = 'unknown'",
    ),
    "notices": (
        "notices WHERE resolved_at IS NULL",
        "SELECT min(created_at) FROM notices WHERE resolved_at IS NULL",
    ),
}
QUEUES = tuple(_QUEUES)

_BACKLOG = " UNION ALL ".join(
    f"SELECT '{queue}', (SELECT count(*) FROM (SELECT FROM {rows} LIMIT :cap) AS capped),"  # noqa: S608  # text of ours
    f" extract(epoch FROM statement_timestamp() - ({oldest}))"
    for queue, (rows, oldest) in _QUEUES.items()
)


def read_backlog(session: Session) -> list[Waiting]:
    """Every queue, in one statement of at most two seconds."""
    session.execute(text(BOUND))
    rows = session.execute(text(_BACKLOG), {"cap": CAP})
    return [Waiting(queue, count, max(0.0, float(oldest or 0))) for queue, count, oldest in rows]


_LATE = """
SELECT 'planning' AS queue
 WHERE EXISTS (SELECT FROM invoices WHERE next_at <= statement_timestamp() - CAST(:patience AS interval))
UNION ALL
SELECT 'reminders'
 WHERE EXISTS (SELECT FROM reminders
                WHERE state = 'planned' AND look_at <= statement_timestamp() - CAST(:patience AS interval)
                  AND updated_at <= statement_timestamp() - CAST(:patience AS interval))
UNION ALL
SELECT 'stripe_events'
 WHERE EXISTS (SELECT FROM stripe_events
                WHERE handled_at IS NULL AND received_at <= statement_timestamp() - CAST(:patience AS interval)
                  AND (attempts = 0 OR next_try_at <= statement_timestamp() - interval '1 minute'))
"""


def late_queues(session: Session, *, patience: timedelta) -> list[str]:
    """Queues in which a row has waited longer than `patience` for somebody to look at it.

    A reminder that is held, or an event that is tried again and again while Stripe is away, is being looked at.
    """
    session.execute(text(BOUND))
    return list(session.scalars(text(_LATE), {"patience": patience}))
