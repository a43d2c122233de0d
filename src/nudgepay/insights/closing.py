"""Closing months: figures are worked out from the facts and written once, and once more when they have settled.

A night on which no month has ended costs one look. All of it may be run again: the same facts give the same rows.
"""

import calendar
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.db import Database
from nudgepay.payments.came_in import PAID_AT

FOLLOWED_WITHIN_DAYS = 14
"""Money within this many days of a letter counts as its fruit, if no other letter came between."""
SETTLES_AFTER_DAYS = FOLLOWED_WITHIN_DAYS + 2
"""Until then money of the month is still told late; afterwards its figures stay."""
MOST_MONTHS = 24
BEHAVIOUR_MONTHS = 12


def run_closing(db: Database, *, now: datetime, zone: ZoneInfo) -> int:
    """Close every month that has ended by `now` (in the business's `zone`) and is not closed; returns how many.

    The first run goes back to the first invoice, two years at most; each month is a transaction of its own.
    """
    with db.transaction() as session:
        waiting = _waiting(session, today=now.astimezone(zone).date())
    for month, is_settled in waiting:
        with db.transaction() as session:
            close_month(session, month, is_settled=is_settled, zone=zone)
    if waiting:
        with db.transaction() as session:
            _describe_clients(session, until=next_month(waiting[-1][0]), zone=zone)
    return len(waiting)


def _waiting(session: Session, *, today: date) -> list[tuple[date, bool]]:
    first = session.scalar(text("SELECT min(issued_on) FROM invoices WHERE status <> 'draft'"))
    if first is None:
        return []
    known = {
        row.month: row.is_settled for row in session.execute(text("SELECT month, is_settled FROM closed_months"))
    }
    month = this_month = today.replace(day=1)
    found = []
    for _ in range(MOST_MONTHS):
        month = (month - timedelta(days=1)).replace(day=1)
        if month < first.replace(day=1):
            break
        is_settled = today >= next_month(month) + timedelta(days=SETTLES_AFTER_DAYS)
        if month < this_month and (month not in known or (is_settled and not known[month])):
            found.append((month, is_settled))
    return found[::-1]


def close_month(session: Session, month: date, *, is_settled: bool, zone: ZoneInfo) -> None:
    """Write the figures of one month, in place of those that are there."""
    end = next_month(month)
    given = {
        "month": month,
        "last": end - timedelta(days=1),
        "start": _midnight(month, zone),
        "end": _midnight(end, zone),
        "window": FOLLOWED_WITHIN_DAYS,
        "is_settled": is_settled,
    }
    session.execute(text("LOCK TABLE closed_months IN SHARE ROW EXCLUSIVE MODE"))
    for statement in (*_FORGET, _MONTH_ENDS, _STEPS, _PROMISES, _CLOSED):
        session.execute(text(statement), given)


def _describe_clients(session: Session, *, until: date, zone: ZoneInfo) -> None:
    start = _months_before(until, BEHAVIOUR_MONTHS)
    given = {
        "start": _midnight(start, zone),
        "half": _midnight(_months_before(until, BEHAVIOUR_MONTHS // 2), zone),
        "end": _midnight(until, zone),
        "zone": zone.key,
    }
    session.execute(text("DELETE FROM payment_behaviour"))
    session.execute(text(_BEHAVIOUR), given)


def next_month(month: date) -> date:
    """The first day of the month behind this first day."""
    return month + timedelta(days=calendar.monthrange(month.year, month.month)[1])


def _months_before(month: date, count: int) -> date:
    for _ in range(count):
        month = (month - timedelta(days=1)).replace(day=1)
    return month


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


_FORGET = (
    "DELETE FROM month_ends WHERE month = :month",
    "DELETE FROM step_outcomes WHERE month = :month",
    "DELETE FROM promise_outcomes WHERE month = :month",
    "DELETE FROM closed_months WHERE month = :month",
)
_MONTH_ENDS = """
WITH counted AS (
  SELECT a.invoice_id, sum(CASE WHEN f.kind IN ('refund', 'chargeback') THEN -a.amount ELSE a.amount END) AS amount
    FROM allocations a JOIN money_facts f ON f.id = a.fact_id
   WHERE f.voided_at IS NULL AND f.problem IS NULL AND f.occurred_at < :end
   GROUP BY a.invoice_id
), claimed AS (
  SELECT i.currency, i.due_on, i.issued_on, i.amount_due, greatest(i.amount_due - coalesce(c.amount, 0), 0) AS rest
    FROM invoices i LEFT JOIN counted c ON c.invoice_id = i.id
   WHERE i.status <> 'draft' AND i.issued_on <= :last
     AND NOT (i.status IN ('void', 'uncollectible') AND (i.closed_at IS NULL OR i.closed_at < :end))
), came AS (
  SELECT currency, sum(CASE WHEN kind IN ('refund', 'chargeback') THEN -amount ELSE amount END) AS amount
    FROM money_facts
   WHERE occurred_at >= :start AND occurred_at < :end AND voided_at IS NULL AND problem IS NULL
     AND kind <> 'credit' AND provider <> 'import'
   GROUP BY currency
), owed AS (
  SELECT currency, sum(rest) AS receivable, sum(rest) FILTER (WHERE due_on >= :last) AS not_due,
         sum(rest) FILTER (WHERE due_on < CAST(:last AS date) - 90) AS over_90,
         sum(amount_due) FILTER (WHERE issued_on >= :month) AS sales
    FROM claimed GROUP BY currency
)
INSERT INTO month_ends (month, currency, receivable, not_due, over_90, sales, received)
SELECT :month, currency, coalesce(receivable, 0), coalesce(not_due, 0), coalesce(over_90, 0), coalesce(sales, 0),
       coalesce(came.amount, 0)
  FROM owed FULL JOIN came USING (currency)
"""
"""An invoice counts from the day it was issued until it was voided or written off, a draft that was voided never;
money counts from the day it came."""

_STEPS = """
WITH sent AS (
  SELECT r.invoice_id, CASE WHEN r.nudge_key IS NULL THEN r.step ELSE 'manual' END AS step, l.sending_at,
         lead(l.sending_at) OVER (PARTITION BY r.invoice_id ORDER BY l.sending_at, r.id) AS next_at
    FROM letters l JOIN reminders r ON r.letter_id = l.id
   WHERE l.sending_at >= :start AND l.sending_at < CAST(:end AS timestamptz) + make_interval(days => :window)
     AND r.state IN ('accepted', 'delivered', 'bounced', 'complained')
), paid AS (
  SELECT s.step, min(f.occurred_at) - s.sending_at AS took
    FROM sent s
    LEFT JOIN (allocations a JOIN money_facts f ON f.id = a.fact_id AND f.kind IN ('payment', 'manual')
                               AND f.voided_at IS NULL AND f.problem IS NULL AND f.provider <> 'import')
      ON a.invoice_id = s.invoice_id AND f.occurred_at >= s.sending_at
     AND f.occurred_at < least(s.sending_at + make_interval(days => :window), coalesce(s.next_at, 'infinity'))
   WHERE s.sending_at < :end
   GROUP BY s.invoice_id, s.step, s.sending_at
)
INSERT INTO step_outcomes (month, step, sent, followed, days)
SELECT :month, step, count(*), count(took), coalesce(sum(extract(epoch FROM took) / 86400), 0)::bigint
  FROM paid GROUP BY step
"""
_PROMISES = """
INSERT INTO promise_outcomes (month, kept, partially_kept, broken)
SELECT :month, count(*) FILTER (WHERE state = 'kept'), count(*) FILTER (WHERE state = 'partially_kept'),
       count(*) FILTER (WHERE state = 'broken')
  FROM promises WHERE settled_at >= :start AND settled_at < :end
"""
_CLOSED = "INSERT INTO closed_months (month, is_settled) VALUES (:month, :is_settled)"
_BEHAVIOUR = f"""
INSERT INTO payment_behaviour (client_id, paid, days_late, days_late_before)
SELECT client_id, count(*), round(sum(late * amount_due) / sum(amount_due)),
       round(sum(late * amount_due) FILTER (WHERE paid_at < :half)
             / nullif(sum(amount_due) FILTER (WHERE paid_at < :half), 0))
  FROM (SELECT client_id, amount_due, paid_at, (paid_at AT TIME ZONE :zone)::date - due_on AS late
          FROM (SELECT i.client_id, i.amount_due::numeric, i.due_on, {PAID_AT} AS paid_at
                  FROM invoices i WHERE i.status = 'paid' AND i.closed_at >= :start) AS paid
         WHERE paid_at >= :start AND paid_at < :end) AS settled
 GROUP BY client_id
"""  # noqa: S608 - a fragment of ours
