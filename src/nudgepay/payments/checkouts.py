"""What a Checkout Session tells: money came, is on its way, failed, or the page just expired.

Each is told once and for ever on our own row, so the order in which it is told cannot matter.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay.gateways.stripe_amounts import AmountNotPayable, from_stripe
from nudgepay.invoices.queries import lock_client
from nudgepay.payments.actions import open_review, record_payment
from nudgepay.payments.books import reallocate
from nudgepay.payments.models import CheckoutSession

ACTOR = "stripe"
EXTERNAL_FAILED = "checkout.session.async_payment_failed"


def checkout_of(session: Session, document: dict[str, Any]) -> CheckoutSession | None:
    """Our row behind a session or PaymentIntent: by its id, else by the metadata that we put there.

    Metadata that contradicts our own row (another client, another session) makes it foreign.
    """
    metadata = document.get("metadata") or {}
    row = None
    if document.get("object") == "checkout.session":
        row = session.scalar(select(CheckoutSession).where(CheckoutSession.session_id == document["id"]))
    named = str(metadata.get("nudgepay_checkout", ""))
    if row is None and named.isascii() and named.isdigit() and len(named) < 19:
        row = session.get(CheckoutSession, int(named))
        if row is not None and document.get("object") == "checkout.session" and row.session_id is not None:
            return None
    if row is None or str(metadata.get("nudgepay_client", row.client_id)) != str(row.client_id):
        return None
    return row


def take_session(session: Session, document: dict[str, Any], *, event_type: str | None, now: datetime) -> str:
    """Apply a session's state (from an event, or fetched: then `event_type` is None); returns the outcome."""
    row = checkout_of(session, document)
    if row is None:
        return "foreign"
    lock_client(session, row.client_id)
    session.refresh(row, with_for_update=True)
    row.session_id = row.session_id or document["id"]
    if document.get("payment_status") in {"paid", "no_payment_required"}:
        return book_payment(
            session,
            row,
            payment_intent=document.get("payment_intent") or document["id"],
            amount=document.get("amount_total"),
            currency=document.get("currency"),
            now=now,
        )
    if document.get("status") == "expired":
        row.expired_at = row.expired_at or now
        return "expired"
    if event_type == EXTERNAL_FAILED:
        row.failed_at = row.failed_at or now
    elif document.get("status") != "complete":
        return "open"
    row.completed_unpaid_at = row.completed_unpaid_at or now
    row.payment_intent_id = row.payment_intent_id or document.get("payment_intent")
    session.flush()
    reallocate(session, row.client_id, now=now)
    return "failed" if row.failed_at else "in_payment"


def book_payment(
    session: Session,
    row: CheckoutSession,
    *,
    payment_intent: str,
    amount: Any,
    currency: Any,
    now: datetime,
) -> str:
    """Money came for this checkout: book it once, or hold it with a review when it is not what was asked.

    It counts from the click that opened the checkout, whichever event tells of it first.
    """
    lock_client(session, row.client_id)
    paid = _minor_units(amount, currency)
    problem = None if (paid, str(currency).upper()) == (row.amount, row.currency) else "amount_mismatch"
    row.succeeded_at = row.succeeded_at or now
    row.payment_intent_id = row.payment_intent_id or payment_intent
    session.flush()
    if paid is not None and paid > 0:
        record_payment(
            session,
            client_id=row.client_id,
            amount=paid,
            currency=str(currency).upper(),
            provider="stripe",
            provider_id=payment_intent,
            kind="payment",
            occurred_at=row.created_at,
            targets=row.lines,
            problem=problem,
            actor=ACTOR,
            now=now,
        )
    if problem is not None:
        doubt(session, row, reason=problem, key=payment_intent, now=now)
        return "needs_review"
    return "paid"


def doubt(session: Session, row: CheckoutSession, *, reason: str, key: str, now: datetime) -> None:
    """A review on every invoice that the checkout was for."""
    for line in row.lines:
        open_review(
            session,
            invoice_id=int(line["invoice_id"]),
            client_id=row.client_id,
            reason=reason,
            key=f"{reason}:{key}:{line['invoice_id']}",
            details={"checkout": row.id},
        )
    session.flush()
    reallocate(session, row.client_id, now=now)


def _minor_units(amount: Any, currency: Any) -> int | None:
    if not isinstance(amount, int) or not isinstance(currency, str):
        return None
    try:
        return from_stripe(amount, currency.upper())
    except AmountNotPayable:
        return None
