"""Recording money: each fact once, its effect at once, in one transaction under the client's lock."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import audit, ledger, metrics
from nudgepay.errors import Conflict, NotFound, UsageError
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import lock_client
from nudgepay.money import MAX_MINOR_UNITS, ensure_currency
from nudgepay.payments.books import reallocate
from nudgepay.payments.facts import INCOMING
from nudgepay.payments.models import MoneyFact, Review

BY_HAND = frozenset({"manual", "bank", "import"})
"""Providers whose facts a person may undo; a card payment is undone by a refund."""


class FactDiffers(Conflict):
    """A fact with this provider id is on the books with another amount or currency."""


class CannotUndo(Conflict):
    """Only a fact that a person recorded can be undone, and only once."""


def record_payment(
    session: Session,
    *,
    client_id: int,
    amount: int,
    currency: str,
    provider: str,
    provider_id: str,
    kind: str,
    occurred_at: datetime,
    targets: Sequence[Mapping[str, int]],
    actor: str,
    now: datetime,
    reverses: str | None = None,
    problem: str | None = None,
    note: str | None = None,
) -> MoneyFact:
    """Book one fact and its effect; the same (provider, provider_id, kind) again changes nothing.

    `targets` is `[{"invoice_id", "amount"}]` in minor units, in the order in which they are to be filled.
    Raises FactDiffers when the known fact has another amount or currency.
    """
    if not 0 < amount <= MAX_MINOR_UNITS:
        raise UsageError("amount: must be positive and below the product's limit")
    lock_client(session, client_id)
    fact_id = session.scalar(
        insert(MoneyFact)
        .values(
            client_id=client_id,
            amount=amount,
            currency=ensure_currency(currency),
            provider=provider,
            provider_id=provider_id,
            kind=kind,
            occurred_at=occurred_at,
            targets=[dict(target) for target in targets],
            actor=actor,
            reverses=reverses,
            problem=problem,
            note=note,
        )
        .on_conflict_do_nothing()
        .returning(MoneyFact.id)
    )
    if fact_id is None:
        return _known(session, provider, provider_id, kind, amount=amount, currency=currency)
    fact = session.scalars(select(MoneyFact).where(MoneyFact.id == fact_id)).one()
    audit.record(
        session,
        actor=actor,
        action=f"{kind}.record",
        subject=f"money_facts:{fact.id}",
        after={"amount": amount, "currency": currency, "problem": problem},
    )
    reallocate(session, client_id, now=now)
    metrics.payments.labels(source=provider).inc()
    return fact


def _known(session: Session, provider: str, provider_id: str, kind: str, *, amount: int, currency: str) -> MoneyFact:
    fact = session.scalars(
        select(MoneyFact).where(
            MoneyFact.provider == provider, MoneyFact.provider_id == provider_id, MoneyFact.kind == kind
        )
    ).one()
    if (fact.amount, fact.currency) != (amount, currency):
        raise FactDiffers(f"{provider} {kind} {provider_id} is on the books with another amount")
    return fact


def undo_payment(session: Session, fact_id: int, *, now: datetime, actor: str) -> MoneyFact:
    """Take back a fact that a person recorded. The row stays, voided; raises NotFound or CannotUndo."""
    fact = session.get(MoneyFact, fact_id)
    if fact is None:
        raise NotFound(f"there is no payment {fact_id}; see: nudgepay payments list")
    lock_client(session, fact.client_id)
    session.refresh(fact)
    if fact.provider not in BY_HAND:
        raise CannotUndo(f"payment {fact_id} came from {fact.provider}: refund it there")
    void_fact(session, fact, now=now, actor=actor)
    return fact


def void_fact(session: Session, fact: MoneyFact, *, now: datetime, actor: str) -> None:
    """Make a fact count no more (a won dispute, a failed refund, an undone payment)."""
    if fact.voided_at is not None:
        raise CannotUndo(f"payment {fact.id} was undone already")
    fact.voided_at = now
    session.flush()
    audit.record(
        session,
        actor=actor,
        action=f"{fact.kind}.void",
        subject=f"money_facts:{fact.id}",
        before={"amount": fact.amount, "currency": fact.currency},
    )
    reallocate(session, fact.client_id, now=now)


def retarget(
    session: Session, fact_id: int, targets: Sequence[Mapping[str, int]], *, now: datetime, actor: str
) -> MoneyFact:
    """Point a fact (or its unapplied rest) at other invoices; raises NotFound, UsageError."""
    fact = session.get(MoneyFact, fact_id)
    if fact is None or fact.kind not in INCOMING:
        raise NotFound(f"there is no payment {fact_id} to allocate")
    lock_client(session, fact.client_id)
    session.refresh(fact)
    if sum(target["amount"] for target in targets) > fact.amount:
        raise UsageError("the parts are more than the payment")
    before: dict[str, Any] = {"targets": fact.targets}
    fact.targets = [dict(target) for target in targets]
    session.flush()
    audit.record(
        session,
        actor=actor,
        action="payment.allocate",
        subject=f"money_facts:{fact.id}",
        before=before,
        after={"targets": fact.targets},
    )
    reallocate(session, fact.client_id, now=now)
    return fact


def open_review(
    session: Session, *, invoice_id: int, client_id: int, reason: str, key: str, details: dict[str, Any]
) -> None:
    """A doubt that holds the chase until it is settled: one review and one notice for each key, for ever."""
    opened = session.scalar(
        insert(Review)
        .values(invoice_id=invoice_id, reason=reason, dedup_key=key, details=details)
        .on_conflict_do_nothing(index_elements=["dedup_key"])
        .returning(Review.id)
    )
    if opened is not None:
        ledger.notice(
            session, "payment.needs_review", f"review:{key}", {"invoice_id": invoice_id, "reason": reason, **details}
        )


def settle_review(session: Session, review_id: int, *, resolution: str, now: datetime, actor: str) -> None:
    """A person settles a doubt; the invoice is what its facts say again. Raises NotFound."""
    review = session.get(Review, review_id)
    if review is None:
        raise NotFound(f"there is no review {review_id}; see: nudgepay reviews list")
    client_id = session.get_one(Invoice, review.invoice_id).client_id
    lock_client(session, client_id)
    session.refresh(review, with_for_update=True)
    resolve_review(session, review, resolution=resolution, now=now, actor=actor)
    reallocate(session, client_id, now=now)


def resolve_review(session: Session, review: Review, *, resolution: str, now: datetime, actor: str) -> None:
    """Settle a doubt; the invoice's state is worked out again, and its notice closes."""
    if review.resolved_at is not None:
        return
    review.resolved_at, review.resolved_by, review.resolution = now, actor, resolution
    session.flush()
    ledger.resolve_notice(session, f"review:{review.dedup_key}", actor=actor)
    audit.record(
        session,
        actor=actor,
        action="review.resolve",
        subject=f"reviews:{review.id}",
        after={"reason": review.reason, "resolution": resolution},
    )
