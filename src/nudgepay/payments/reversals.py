"""Money that goes back: refunds and disputes, as Stripe says of them now. A final word is never unsaid."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay.gateways.stripe_amounts import from_stripe
from nudgepay.invoices.queries import lock_client
from nudgepay.payments.actions import open_review, record_payment, resolve_review, void_fact
from nudgepay.payments.books import reallocate
from nudgepay.payments.checkouts import ACTOR, book_payment, checkout_of
from nudgepay.payments.models import MoneyFact, Review

UNDONE = frozenset({"failed", "canceled", "won"})
"""States in which the money is (again) ours: docs.stripe.com/api/refunds, docs.stripe.com/api/disputes."""
NO_MONEY_MOVED = frozenset({"warning_needs_response", "warning_under_review", "warning_closed", "prevented"})


@dataclass(frozen=True, slots=True)
class Reversal:
    """A refund or dispute with the PaymentIntent that it takes back."""

    kind: str
    document: dict[str, Any]
    payment_intent: dict[str, Any]


def take_reversal(session: Session, reversal: Reversal, *, now: datetime) -> str:
    """Book a refund or chargeback after its payment, or void it when it came to nothing; returns the outcome."""
    payment = ensure_payment(session, reversal.payment_intent, now=now)
    if payment is None:
        return "foreign"
    document = reversal.document
    if document["status"] in NO_MONEY_MOVED:
        return "inquiry"
    lock_client(session, payment.client_id)
    fact = record_payment(
        session,
        client_id=payment.client_id,
        amount=from_stripe(document["amount"], document["currency"].upper()),
        currency=document["currency"].upper(),
        provider="stripe",
        provider_id=document["id"],
        kind=reversal.kind,
        occurred_at=datetime.fromtimestamp(document["created"], UTC),
        targets=[],
        reverses=payment.provider_id,
        actor=ACTOR,
        now=now,
    )
    if document["status"] in UNDONE and fact.voided_at is None:
        void_fact(session, fact, now=now, actor=ACTOR)
    if fact.voided_at is not None:
        _settle_reviews(session, fact, now=now)
        return "undone"
    for target in payment.targets:
        open_review(
            session,
            invoice_id=int(target["invoice_id"]),
            client_id=payment.client_id,
            reason=reversal.kind,
            key=f"{reversal.kind}:{fact.provider_id}:{target['invoice_id']}",
            details={"fact": fact.id},
        )
    session.flush()
    reallocate(session, payment.client_id, now=now)
    return reversal.kind


def ensure_payment(session: Session, intent: dict[str, Any], *, now: datetime) -> MoneyFact | None:
    """The payment fact of a PaymentIntent, booked now if its event has not come yet; None when it is not ours."""
    query = select(MoneyFact).where(
        MoneyFact.provider == "stripe", MoneyFact.provider_id == intent["id"], MoneyFact.kind == "payment"
    )
    known = session.scalar(query)
    if known is not None:
        return known
    row = checkout_of(session, intent)
    if row is None or intent.get("status") != "succeeded":
        return None
    book_payment(
        session,
        row,
        payment_intent=intent["id"],
        amount=intent.get("amount_received"),
        currency=intent.get("currency"),
        now=now,
    )
    return session.scalar(query)


def _settle_reviews(session: Session, fact: MoneyFact, *, now: datetime) -> None:
    keys = Review.dedup_key.startswith(f"{fact.kind}:{fact.provider_id}:", autoescape=True)
    for review in session.scalars(select(Review).where(keys, Review.resolved_at.is_(None))):
        resolve_review(session, review, resolution="the money stayed", now=now, actor=ACTOR)
    reallocate(session, fact.client_id, now=now)
