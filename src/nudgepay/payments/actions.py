"""Recording money: each fact once, its effect at once, in one transaction under the client's lock."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import audit, metrics
from nudgepay.errors import Conflict, NotFound, UsageError
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import lock_client
from nudgepay.money import MAX_MINOR_UNITS, ensure_currency
from nudgepay.payments.books import reallocate
from nudgepay.payments.facts import INCOMING
from nudgepay.payments.models import Allocation, MoneyFact, Review
from nudgepay.payments.reopening import reopen_line
from nudgepay.payments.reviews import close_review

BY_HAND = frozenset({"manual", "bank", "import"})
"""Providers whose facts a person may undo; a card payment is undone by a refund."""

FOREIGN = frozenset({"wrong_mode", "wrong_account"})
"""Problems that no person can accept away: test money, or another business's."""


class FactDiffers(Conflict):
    """A fact with this provider id is on the books with another amount or currency."""


class CannotAllocate(Conflict):
    """The fact does not count, or is nobody's money here."""


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
    void: bool = False,
) -> MoneyFact:
    """Book one fact and its effect; the same (provider, provider_id, kind) again changes nothing.

    `targets` is `[{"invoice_id", "amount"}]` in minor units, in the order in which they are to be filled.
    A fact with a `problem`, or that came to nothing before it was told (`void`), is kept but never counts.
    Raises FactDiffers when the known fact has another amount, currency or client.
    """
    if not 0 < amount <= MAX_MINOR_UNITS:
        raise UsageError("amount: must be positive and below the product's limit")
    currency = ensure_currency(currency)
    lock_client(session, client_id)
    fact_id = session.scalar(
        insert(MoneyFact)
        .values(
            client_id=client_id,
            amount=amount,
            currency=currency,
            provider=provider,
            provider_id=provider_id,
            kind=kind,
            occurred_at=occurred_at,
            targets=[dict(target) for target in targets],
            actor=actor,
            reverses=reverses,
            problem=problem,
            note=note,
            voided_at=now if void else None,
        )
        .on_conflict_do_nothing()
        .returning(MoneyFact.id)
    )
    if fact_id is None:
        return _known(session, (provider, provider_id, kind), (amount, currency, client_id))
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


def known_fact(session: Session, provider: str, provider_id: str, kind: str) -> MoneyFact | None:
    """The fact with this name, as it stands in the database."""
    query = select(MoneyFact).where(
        MoneyFact.provider == provider, MoneyFact.provider_id == provider_id, MoneyFact.kind == kind
    )
    return session.scalar(query.execution_options(populate_existing=True))


def _known(session: Session, name: tuple[str, str, str], told: tuple[int, str, int]) -> MoneyFact:
    fact = known_fact(session, *name)
    if fact is None or (fact.amount, fact.currency, fact.client_id) != told:
        raise FactDiffers(f"{name[0]} {name[2]} {name[1]} is on the books with another amount or client")
    return fact


def undo_payment(session: Session, fact_id: int, *, now: datetime, actor: str) -> MoneyFact:
    """Take back a fact that a person recorded. The row stays, voided; raises NotFound or CannotUndo.

    If it was a line of a bank statement, that line waits again.
    """
    fact = session.get(MoneyFact, fact_id)
    if fact is None:
        raise NotFound(f"there is no payment {fact_id}; see: nudgepay payments list")
    lock_client(session, fact.client_id)
    session.refresh(fact)
    if fact.provider not in BY_HAND:
        raise CannotUndo(f"payment {fact_id} came from {fact.provider}: refund it there")
    void_fact(session, fact, now=now, actor=actor)
    reopen_line(session, fact.id, actor=actor)
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
    """Point a fact, or its unapplied rest, at invoices of its client and currency, in this order.

    What already lies on invoices that are not named stays there; an amount of 0 takes it off. It also accepts a
    payment that was held for its amount; money of another mode or account is never accepted.
    Raises NotFound, UsageError and CannotAllocate.
    """
    fact = session.get(MoneyFact, fact_id)
    if fact is None or fact.kind not in INCOMING:
        raise NotFound(f"there is no payment {fact_id} to allocate; see: nudgepay payments list")
    lock_client(session, fact.client_id)
    session.refresh(fact)
    wanted = [*_kept(session, fact, {target["invoice_id"] for target in targets}), *map(dict, targets)]
    _ensure_allocatable(session, fact, wanted)
    before: dict[str, Any] = {"targets": fact.targets, "problem": fact.problem}
    fact.targets = [target for target in wanted if target["amount"]]
    fact.problem = None
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


def _kept(session: Session, fact: MoneyFact, named: set[int]) -> list[dict[str, int]]:
    query = select(Allocation).where(Allocation.fact_id == fact.id, Allocation.invoice_id.not_in(named))
    rows = session.scalars(query.execution_options(populate_existing=True))
    kept = {row.invoice_id: row.amount for row in rows}
    order = [int(target["invoice_id"]) for target in fact.targets]
    return [{"invoice_id": id, "amount": kept[id]} for id in sorted(kept, key=order.index)]


def _ensure_allocatable(session: Session, fact: MoneyFact, targets: Sequence[Mapping[str, int]]) -> None:
    if fact.voided_at is not None:
        raise CannotAllocate(f"payment {fact.id} no longer counts: it was undone")
    if fact.problem in FOREIGN:
        raise CannotAllocate(f"payment {fact.id} is not this business's money ({fact.problem})")
    ids = [target["invoice_id"] for target in targets]
    if not ids or len(set(ids)) != len(ids):
        raise UsageError("name each invoice once")
    if any(target["amount"] < 0 for target in targets):
        raise UsageError("no part can be negative")
    if sum(target["amount"] for target in targets) > fact.amount:
        raise UsageError("the parts are more than the payment")
    query = select(Invoice.id).where(
        Invoice.id.in_(ids), Invoice.client_id == fact.client_id, Invoice.currency == fact.currency
    )
    if len(session.scalars(query).all()) != len(ids):
        raise UsageError("a payment fills only invoices of its own client and currency")


def resolve_review(session: Session, review_id: int, *, resolution: str, now: datetime, actor: str) -> Review:
    """A person settles a doubt, once; the invoice is what its facts say again. Raises NotFound."""
    review = session.get(Review, review_id)
    if review is None:
        raise NotFound(f"there is no review {review_id}; see: nudgepay reviews list")
    client_id = session.get_one(Invoice, review.invoice_id).client_id
    lock_client(session, client_id)
    session.refresh(review, with_for_update=True)
    if review.resolved_at is None:
        close_review(session, review, resolution=resolution, now=now, actor=actor)
        audit.record(
            session,
            actor=actor,
            action="review.resolve",
            subject=f"reviews:{review.id}",
            after={"reason": review.reason, "resolution": resolution},
        )
        reallocate(session, client_id, now=now)
    return review
