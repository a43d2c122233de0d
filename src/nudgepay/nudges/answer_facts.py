"""What payers, the books and reviewers say about invoices, for the engine: one statement for each source."""

from collections.abc import Iterable
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


_MONEY = """
SELECT a.invoice_id, bool_or(f.currency <> i.currency) AS mismatched,
       bool_and(f.kind = 'credit') FILTER (WHERE f.kind IN ('payment', 'manual', 'credit')) AS credit_only
  FROM allocations a JOIN money_facts f ON f.id = a.fact_id JOIN invoices i ON i.id = a.invoice_id
 WHERE a.invoice_id = ANY(:ids)
 GROUP BY a.invoice_id
"""


def load_answers(session: Session, invoice_ids: list[int], now: datetime) -> Answers:
    """Everything that is open at `now`, for these invoices."""
    ids = {"ids": invoice_ids, "now": now}

    def rows(query: str) -> Iterable[Row[Any]]:
        return session.execute(text(query), ids)

    money = list(rows(_MONEY))
    return Answers(
        promises={
            row.invoice_id: (row.promised_on, row.grace_days)
            for row in rows("SELECT * FROM promises WHERE state = 'pending' AND invoice_id = ANY(:ids)")
        },
        disputed={
            row.invoice_id: row.amount
            for row in rows(
                "SELECT invoice_id, CASE WHEN bool_or(amount IS NULL) THEN NULL ELSE sum(amount)::bigint END amount"
                " FROM disputes WHERE resolved_at IS NULL AND invoice_id = ANY(:ids) GROUP BY invoice_id"
            )
        },
        claimed={
            row.invoice_id: row.until
            for row in rows(
                "SELECT invoice_id, max(until) AS until FROM payment_claims"
                " WHERE settled_at IS NULL AND until > :now AND invoice_id = ANY(:ids) GROUP BY invoice_id"
            )
        },
        reviews={
            row.invoice_id
            for row in rows(
                "SELECT DISTINCT invoice_id FROM reviews WHERE resolved_at IS NULL AND invoice_id = ANY(:ids)"
            )
        },
        credit_only={row.invoice_id for row in money if row.credit_only},
        mismatched={row.invoice_id for row in money if row.mismatched},
    )
