"""Money that goes back: refunds and disputes. A final word is never unsaid, so their order cannot matter."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from nudgepay.payments.actions import known_fact, record_payment, void_fact
from nudgepay.payments.books import reallocate
from nudgepay.payments.checkouts import ACTOR, Told, book_payment, checkout_of, minor_units, tell_foreign
from nudgepay.payments.models import MoneyFact
from nudgepay.payments.reviews import open_review

Json = dict[str, Any]

UNDONE = frozenset({"failed", "canceled", "won"})
"""States in which the money is (again) ours: docs.stripe.com/api/refunds, docs.stripe.com/api/disputes."""
NO_MONEY_MOVED = frozenset({"warning_needs_response", "warning_under_review", "warning_closed", "prevented"})


class Unreadable(ValueError):
    """A refund or dispute without what every one of Stripe's has."""


def take_reversal(session: Session, kind: str, document: Json, payment: MoneyFact, *, now: datetime) -> str:
    """Book a refund or chargeback of this payment, or strike it out when it came to nothing; returns the outcome.

    Which invoices it reopens, and the reviews on them, follow from the books. Raises Unreadable.
    """
    status = document.get("status")
    if status in NO_MONEY_MOVED:
        return "inquiry"
    code = str(document.get("currency", "")).upper()
    amount = minor_units(document.get("amount"), code)
    if amount is None or amount <= 0 or not isinstance(document.get("id"), str):
        raise Unreadable(f"a {kind} without id, amount or currency")
    fact = known_fact(session, "stripe", document["id"], kind)
    if fact is None:
        fact = _record(session, kind, document, payment, amount=amount, currency=code, now=now)
    elif status in UNDONE and fact.voided_at is None:
        void_fact(session, fact, now=now, actor=ACTOR)
    if (fact.amount, fact.currency) != (amount, payment.currency):
        return _doubt(session, kind, fact, payment, now=now)
    return "undone" if fact.voided_at is not None else kind


def _record(
    session: Session, kind: str, document: Json, payment: MoneyFact, *, amount: int, currency: str, now: datetime
) -> MoneyFact:
    created = document.get("created")
    return record_payment(
        session,
        client_id=payment.client_id,
        amount=amount,
        currency=currency,
        provider="stripe",
        provider_id=document["id"],
        kind=kind,
        occurred_at=datetime.fromtimestamp(created, UTC) if isinstance(created, int) else now,
        targets=[],
        reverses=payment.provider_id,
        void=document.get("status") in UNDONE,
        actor=ACTOR,
        now=now,
    )


def _doubt(session: Session, kind: str, fact: MoneyFact, payment: MoneyFact, *, now: datetime) -> str:
    """It is told with different amounts, or in another currency than the payment's: a person must look."""
    open_review(
        session,
        invoice_ids=[int(target["invoice_id"]) for target in payment.targets],
        reason="wrong_amount" if fact.currency == payment.currency else "wrong_currency",
        source=f"wrong_{kind}:{fact.provider_id}",
        details={"fact_id": fact.id},
    )
    reallocate(session, payment.client_id, now=now)
    return "needs_review"


def payment_of(session: Session, payment_intent: str) -> MoneyFact | None:
    """The payment that a reversal takes back, when it is on the books."""
    return known_fact(session, "stripe", payment_intent, "payment")


def ensure_payment(session: Session, intent: Json, *, now: datetime) -> MoneyFact | None:
    """The payment of a PaymentIntent, booked now if its own event has not come yet; None when it is not ours."""
    known = payment_of(session, intent["id"])
    if known is not None:
        return known
    row = checkout_of(session, intent)
    if row is None or intent.get("status") != "succeeded":
        tell_foreign(session, intent)
        return None
    told = Told.by(intent["id"], intent.get("amount_received"), intent.get("currency"))
    book_payment(session, row, told, now=now)
    return payment_of(session, intent["id"])
