"""What came in: payments by the day on which the money came. What a look costs is what came in the days looked at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median_low

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

COUNTED = "kind IN ('payment', 'manual') AND voided_at IS NULL AND problem IS NULL AND provider <> 'import'"
"""Money that came to us while we kept the books; as the index `ix_money_facts_came_in` has it, word for word."""
PAID_INVOICES = 50
"""Invoices of which the days to pay are taken, and as many before them to compare with."""


@dataclass(frozen=True, slots=True)
class CameIn:
    """Payments in one currency on the day at `place` among those asked for (minor units)."""

    place: int
    currency: str
    payments: int
    amount: int


_BY_DAY = f"""
SELECT day.place - 1, paid.*
  FROM unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
       WITH ORDINALITY AS day (starts, ends, place),
       LATERAL (SELECT currency, count(*), sum(amount) FROM money_facts
                 WHERE occurred_at >= day.starts AND occurred_at < day.ends AND {COUNTED} GROUP BY currency) AS paid
 ORDER BY paid.currency, day.place
"""  # noqa: S608  # text of ours


def came_in_by_day(session: Session, *, days: Sequence[datetime]) -> list[CameIn]:
    """Payments by currency and day; `days` are the beginnings of the days and the end of the last one.

    Days without any are left out.
    """
    rows = session.execute(text(_BY_DAY), {"starts": list(days[:-1]), "ends": list(days[1:])})
    return [CameIn(int(place), currency, int(count), int(amount)) for place, currency, count, amount in rows]


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


PAID_AT = """coalesce((SELECT max(f.occurred_at) FROM allocations a JOIN money_facts f ON f.id = a.fact_id
                        WHERE a.invoice_id = i.id AND f.kind NOT IN ('refund', 'chargeback')
                          AND f.voided_at IS NULL AND f.problem IS NULL), i.closed_at)"""
"""SQL: when the money came that settled the paid invoice `i`, however late it was booked."""

_PAID = f"""
SELECT {PAID_AT} AS paid_at, i.issued_on FROM invoices i WHERE i.status = 'paid' AND i.closed_at IS NOT NULL
 ORDER BY i.closed_at DESC LIMIT :most
"""  # noqa: S608 - a fragment of ours


def days_to_pay(session: Session, *, day_of: Callable[[datetime], date]) -> DaysToPay | None:
    """How long payers took lately; None while nothing was paid. `day_of` tells the business's day of an instant."""
    rows = session.execute(text(_PAID), {"most": 2 * PAID_INVOICES})
    took = [(day_of(paid_at) - issued_on).days for paid_at, issued_on in rows]
    last, before = took[:PAID_INVOICES], took[PAID_INVOICES:]
    if not last:
        return None
    return DaysToPay(len(last), median_low(last), median_low(before) if before else None)
