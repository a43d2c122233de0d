"""What payers, the books and reviewers say about invoices, for the engine, in one statement."""

from collections import defaultdict
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.orm import Session


class Answers(NamedTuple):
    """By invoice id. `promises`: day and grace in business days. `disputed`: minor units, None for everything."""

    promises: dict[int, tuple[date, int]]
    disputed: dict[int, int | None]
    claimed: dict[int, datetime]
    reviews: set[int]
    credit_only: set[int]
    mismatched: set[int]


_ANSWERS = """
SELECT 'money' AS what, a.invoice_id, bool_or(f.currency <> i.currency) AS mismatched,
       bool_and(f.kind = 'credit') FILTER (WHERE f.kind IN ('payment', 'manual', 'credit')) AS credit_only,
       CAST(NULL AS date) AS day, CAST(NULL AS bigint) AS number, CAST(NULL AS timestamptz) AS until
  FROM allocations a JOIN money_facts f ON f.id = a.fact_id JOIN invoices i ON i.id = a.invoice_id
 WHERE a.invoice_id = ANY(:ids)
 GROUP BY a.invoice_id
UNION ALL
SELECT 'promise', invoice_id, NULL, NULL, promised_on, grace_days, NULL
  FROM promises WHERE state = 'pending' AND invoice_id = ANY(:ids)
UNION ALL
SELECT 'dispute', invoice_id, NULL, NULL, NULL,
       CASE WHEN bool_or(amount IS NULL) THEN NULL ELSE sum(amount)::bigint END, NULL
  FROM disputes WHERE resolved_at IS NULL AND invoice_id = ANY(:ids) GROUP BY invoice_id
UNION ALL
SELECT 'claim', invoice_id, NULL, NULL, NULL, NULL, max(until)
  FROM payment_claims WHERE settled_at IS NULL AND until > :now AND invoice_id = ANY(:ids) GROUP BY invoice_id
UNION ALL
SELECT 'review', invoice_id, NULL, NULL, NULL, NULL, NULL
  FROM reviews WHERE resolved_at IS NULL AND invoice_id = ANY(:ids)
"""


def load_answers(session: Session, invoice_ids: list[int], now: datetime) -> Answers:
    """Everything that is open at `now`, for these invoices."""
    told: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in session.execute(text(_ANSWERS), {"ids": invoice_ids, "now": now}):
        told[row.what].append(row)
    return Answers(
        promises={row.invoice_id: (row.day, row.number) for row in told["promise"]},
        disputed={row.invoice_id: row.number for row in told["dispute"]},
        claimed={row.invoice_id: row.until for row in told["claim"]},
        reviews={row.invoice_id for row in told["review"]},
        credit_only={row.invoice_id for row in told["money"] if row.credit_only},
        mismatched={row.invoice_id for row in told["money"] if row.mismatched},
    )
