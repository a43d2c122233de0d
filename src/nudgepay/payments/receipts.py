"""What was received for some invoices, as a receipt says it. Reads only."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

Means = Literal["card", "transfer", "credit", "returned", "other"]

_RECEIVED = """
SELECT f.occurred_at, f.kind, f.provider, a.amount, i.number
  FROM allocations a JOIN money_facts f ON f.id = a.fact_id JOIN invoices i ON i.id = a.invoice_id
 WHERE a.invoice_id = ANY(:ids) AND f.voided_at IS NULL AND f.problem IS NULL
 ORDER BY f.occurred_at, f.id, i.due_on, i.id
"""
_BY_PROVIDER: dict[str, Means] = {"stripe": "card", "bank": "transfer"}


@dataclass(frozen=True, slots=True)
class Received:
    """Money that counts for an invoice, in minor units; negative when it went back. `at` is UTC."""

    at: datetime
    invoice: str
    amount: int
    means: Means


def received_for(session: Session, invoice_ids: Collection[int]) -> list[Received]:
    """Everything that counts for these invoices, oldest first; what was taken back by hand is not there."""
    rows = session.execute(text(_RECEIVED), {"ids": list(invoice_ids)})
    return [
        Received(row.occurred_at, row.number, -row.amount if _went_back(row.kind) else row.amount, _means(row))
        for row in rows
    ]


def _went_back(kind: str) -> bool:
    return kind in {"refund", "chargeback"}


def _means(row: Row[Any]) -> Means:
    if _went_back(row.kind):
        return "returned"
    return "credit" if row.kind == "credit" else _BY_PROVIDER.get(row.provider, "other")
