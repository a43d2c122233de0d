"""Doubts about an invoice's money: opened with the fact that causes them, settled by a person or by later facts."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import ledger
from nudgepay.invoices.models import Invoice
from nudgepay.payments.facts import REVERSING
from nudgepay.payments.models import Review

BOOKS = "books"
"""Who settled a doubt when later facts did; only such a settlement is ever taken back."""


@dataclass(frozen=True, slots=True)
class Reopened:
    """An invoice whose balance a refund or chargeback reopened. `source` names the provider's object."""

    kind: str
    source: str
    invoice_id: int
    amount: int


def open_review(
    session: Session, *, invoice_ids: Iterable[int], reason: str, source: str, details: dict[str, Any]
) -> None:
    """Hold the chase of these invoices: one review for each source and invoice, for ever; one notice for each source.

    What a person has settled stays settled, however often the source tells it again.
    """
    opened = []
    for invoice_id in sorted(set(invoice_ids)):
        made = session.scalar(
            insert(Review)
            .values(
                invoice_id=invoice_id,
                reason=reason,
                dedup_key=f"{source}:{invoice_id}",
                details={**details, "source": source},
            )
            .on_conflict_do_update(
                index_elements=["dedup_key"],
                set_={"resolved_at": None, "resolved_by": None, "resolution": None},
                where=Review.resolved_by == BOOKS,
            )
            .returning(Review.id)
        )
        if made is not None:
            opened.append(invoice_id)
    if opened:
        told = {"invoice_ids": opened, "reason": reason, **details}
        ledger.notice(session, "payment.needs_review", f"review:{source}", told)


def close_review(session: Session, review: Review, *, resolution: str, now: datetime, actor: str) -> None:
    """Settle one doubt; the notice ends with the last review of its source."""
    review.resolved_at, review.resolved_by, review.resolution = now, actor, resolution
    session.flush()
    source = review.details["source"]
    still_open = select(Review.id).where(Review.details["source"].astext == source, Review.resolved_at.is_(None))
    if session.scalar(still_open.limit(1)) is None:
        ledger.resolve_notice(session, f"review:{source}", actor=actor)


def follow_reversals(session: Session, client_id: int, reopened: Collection[Reopened], *, now: datetime) -> None:
    """Make the client's reviews of refunds and chargebacks what its facts say: open where a balance reopened,
    settled where it was filled again or the money stayed."""
    for one in reopened:
        open_review(
            session,
            invoice_ids=[one.invoice_id],
            reason=one.kind,
            source=one.source,
            details={"amount": one.amount},
        )
    wanted = {f"{one.source}:{one.invoice_id}" for one in reopened}
    query = (
        select(Review)
        .join(Invoice, Invoice.id == Review.invoice_id)
        .where(Invoice.client_id == client_id, Review.reason.in_(REVERSING), Review.resolved_at.is_(None))
        .execution_options(populate_existing=True)
    )
    for review in session.scalars(query).all():
        if review.dedup_key not in wanted:
            close_review(session, review, resolution="the balance is settled again", now=now, actor=BOOKS)


def invoices_in_review(session: Session, client_id: int) -> set[int]:
    """Ids of the client's invoices that wait for a person."""
    query = (
        select(Review.invoice_id)
        .join(Invoice, Invoice.id == Review.invoice_id)
        .where(Invoice.client_id == client_id, Review.resolved_at.is_(None))
    )
    return set(session.scalars(query))
