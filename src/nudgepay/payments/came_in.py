"""What came in: payments by the day on which the money came. What a look costs is what came in the days looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

COUNTED = "kind IN ('payment', 'manual') AND voided_at IS NULL AND problem IS NULL AND provider <> 'import'"
"""Money that came to us while we kept the books; as the index `ix_money_facts_came_in` has it, word for word."""
PAID_INVOICES = 100
"""Invoices of which the days to pay are taken, and as many before them to compare with."""


@dataclass(frozen=True, slots=True)
class CameIn:
    """One day's payments in one currency (minor units)."""

    currency: str
    day: date
    payments: int
    amount: int


_BY_DAY = f"""
SELECT currency, (occurred_at AT TIME ZONE :zone)::date AS day, count(*), sum(amount)
  FROM money_facts WHERE occurred_at >= :since AND occurred_at <= :now AND {COUNTED}
 GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608  # text of ours


def came_in_by_day(session: Session, *, since: datetime, now: datetime, zone: str) -> list[CameIn]:
    """Payments from `since` to `now`, by currency and day of `zone`; days without any are left out."""
    rows = session.execute(text(_BY_DAY), {"since": since, "now": now, "zone": zone})
    return [CameIn(currency, day, int(count), int(amount)) for currency, day, count, amount in rows]


_LISTED = f"""
SELECT f.id, f.occurred_at, f.recorded_at, f.amount, f.currency, f.provider, f.client_id, c.name AS client,
       (SELECT coalesce(array_agg(ARRAY[i.id::text, i.number] ORDER BY i.due_on, i.id), '{{}}')
          FROM allocations a JOIN invoices i ON i.id = a.invoice_id WHERE a.fact_id = f.id) AS invoices
  FROM money_facts f JOIN clients c ON c.id = f.client_id
 WHERE f.{COUNTED.replace(" AND ", " AND f.")} AND f.occurred_at >= :since
   AND (f.occurred_at, f.id) < (CAST(:before AS timestamptz), CAST(:before_id AS bigint))
   AND (CAST(:currency AS text) IS NULL OR f.currency = :currency)
 ORDER BY f.occurred_at DESC, f.id DESC LIMIT :limit
"""  # noqa: S608  # text of ours


def list_came_in(
    session: Session, *, since: datetime, before: tuple[datetime, int], currency: str | None, limit: int
) -> Sequence[Row[tuple[object, ...]]]:
    """Payments from `since` up to, and without, the one at `before`, newest first."""
    given = {"since": since, "before": before[0], "before_id": before[1], "currency": currency, "limit": limit}
    return session.execute(text(_LISTED), given).all()


@dataclass(frozen=True, slots=True)
class DaysToPay:
    """The middle one of the days from issue to payment of the invoices paid last, and of as many before them."""

    invoices: int
    days: int
    before: int | None


_DAYS = """
SELECT count(*) FILTER (WHERE place <= :most) AS invoices,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY days) FILTER (WHERE place <= :most) AS days,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY days) FILTER (WHERE place > :most) AS before
  FROM (SELECT (closed_at AT TIME ZONE :zone)::date - issued_on AS days, row_number() OVER () AS place
          FROM (SELECT closed_at, issued_on FROM invoices WHERE status = 'paid' AND closed_at IS NOT NULL
                 ORDER BY closed_at DESC LIMIT :most * 2) AS newest) AS paid
"""


def days_to_pay(session: Session, *, zone: str) -> DaysToPay | None:
    """How long payers took lately; None while nothing was paid."""
    row = session.execute(text(_DAYS), {"most": PAID_INVOICES, "zone": zone}).one()
    return DaysToPay(row.invoices, row.days, row.before) if row.invoices else None
