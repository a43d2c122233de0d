"""What a Checkout Session tells: money came, is on its way, failed, or the page just expired.

Each is told once and for ever on our own row, so the order in which it is told cannot matter.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay import ledger
from nudgepay.gateways.stripe_amounts import AmountNotPayable, from_stripe
from nudgepay.invoices.queries import lock_client
from nudgepay.money import MAX_MINOR_UNITS, AmountError, ensure_currency
from nudgepay.payments.actions import FOREIGN, known_fact, record_payment
from nudgepay.payments.books import reallocate
from nudgepay.payments.models import CheckoutSession, MoneyFact
from nudgepay.payments.reviews import open_review

ACTOR = "stripe"
NO_WORD_OF_OURS = FOREIGN | {"wrong_client"}
"""Problems with which a telling says nothing about our own checkout."""
EXTERNAL_FAILED = "checkout.session.async_payment_failed"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What Stripe says of one payment, in our minor units; None where that is no amount of the currency."""

    payment_intent: str
    amount: int | None
    currency: str

    @classmethod
    def by(cls, payment_intent: str, amount: Any, currency: Any) -> "Told":
        """From the fields of a session or PaymentIntent, whatever they hold."""
        code = currency.upper() if isinstance(currency, str) else ""
        return cls(payment_intent, minor_units(amount, code), code)

    def problem(self, row: CheckoutSession) -> str | None:
        """What is wrong with it as the answer to what we asked for."""
        if self.currency != row.currency:
            return "wrong_currency"
        return None if self.amount == row.amount else "wrong_amount"


def minor_units(amount: Any, currency: str) -> int | None:
    """Stripe's amount as ours, or None: not an integer, out of range, a fraction, or no such currency."""
    if not isinstance(amount, int) or isinstance(amount, bool):
        return None
    try:
        minor = from_stripe(amount, ensure_currency(currency))
    except (AmountNotPayable, AmountError):
        return None
    return minor if abs(minor) <= MAX_MINOR_UNITS else None


def checkout_of(session: Session, document: Json) -> CheckoutSession | None:
    """Our row behind a session or PaymentIntent: by the session's id, else by all of the metadata we put there.

    Metadata that contradicts our row in any part names nothing of ours.
    """
    if document.get("object") == "checkout.session":
        row = session.scalar(select(CheckoutSession).where(CheckoutSession.session_id == str(document.get("id"))))
        if row is not None:
            return row
    metadata = _metadata(document)
    named = str(metadata.get("nudgepay_checkout", ""))
    if not (named.isascii() and named.isdigit() and len(named) < 19):
        return None
    row = session.get(CheckoutSession, int(named))
    if row is None or contradicts(row, metadata) or "nudgepay_client" not in metadata:
        return None
    return row


def contradicts(row: CheckoutSession, metadata: Json) -> bool:
    """True when the metadata names another client or page than our row."""
    ours = {"nudgepay_client": str(row.client_id), "nudgepay_page": row.page, "nudgepay_checkout": str(row.id)}
    return any(str(metadata.get(key, value)) != value for key, value in ours.items())


def _metadata(document: Json) -> Json:
    metadata = document.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def take_session(
    session: Session, document: Json, *, event_type: str | None, now: datetime, breach: str | None = None
) -> str:
    """Apply a session's state (from an event, or fetched: then `event_type` is None); returns the outcome.

    `breach` is why it cannot be this business's money; then it only raises a doubt.
    """
    row = checkout_of(session, document)
    if row is None:
        return tell_foreign(session, document)
    row = locked(session, row)
    problem = breach or ("wrong_client" if contradicts(row, _metadata(document)) else None)
    if problem is None:
        row.session_id = row.session_id or document["id"]
    if document.get("payment_status") in {"paid", "no_payment_required"}:
        return book_payment(session, row, _told_by_session(document), problem=problem, now=now)
    if problem is not None:
        return doubt(session, row, reason=problem, about=str(document["id"]), now=now)
    if row.session_id not in {None, document["id"]}:
        return "ignored"
    return _follow_session(session, row, document, failed=event_type == EXTERNAL_FAILED, now=now)


def _told_by_session(document: Json) -> Told:
    intent = document.get("payment_intent")
    name = intent if isinstance(intent, str) else str(document["id"])
    return Told.by(name, document.get("amount_total"), document.get("currency"))


def _follow_session(session: Session, row: CheckoutSession, document: Json, *, failed: bool, now: datetime) -> str:
    if document.get("status") == "expired":
        row.expired_at = row.expired_at or now
        return "expired"
    if document.get("status") != "complete" and not failed:
        return "open"
    told = _told_by_session(document)
    problem = told.problem(row)
    if problem is not None:
        return doubt(session, row, reason=problem, about=told.payment_intent, now=now)
    row.completed_unpaid_at = row.completed_unpaid_at or now
    row.payment_intent_id = row.payment_intent_id or told.payment_intent
    if failed:
        row.failed_at = row.failed_at or now
    session.flush()
    reallocate(session, row.client_id, now=now)
    return "failed" if row.failed_at else "in_payment"


def book_payment(
    session: Session, row: CheckoutSession, told: Told, *, now: datetime, problem: str | None = None
) -> str:
    """Money came for this checkout: book it once, or keep it uncounted with a review when it is not what was asked.

    It counts from the click that opened the checkout, whichever event tells of it first. Two tellings that differ
    are a doubt; the first stays on the books.
    """
    row = locked(session, row)
    problem = problem or told.problem(row)
    fact = known_fact(session, "stripe", told.payment_intent, "payment")
    is_news = row.succeeded_at is None and problem not in NO_WORD_OF_OURS
    if is_news:
        row.succeeded_at = now
        row.payment_intent_id = row.payment_intent_id or told.payment_intent
        session.flush()
    if fact is None and told.amount is not None and told.amount > 0:
        fact = _record(session, row, told, problem=problem, now=now)
    elif is_news:
        reallocate(session, row.client_id, now=now)
    if problem is not None:
        return doubt(session, row, reason=problem, about=told.payment_intent, now=now)
    return "paid" if fact is not None and fact.problem is None else "needs_review"


def _record(session: Session, row: CheckoutSession, told: Told, *, problem: str | None, now: datetime) -> MoneyFact:
    return record_payment(
        session,
        client_id=row.client_id,
        amount=told.amount or 0,
        currency=told.currency,
        provider="stripe",
        provider_id=told.payment_intent,
        kind="payment",
        occurred_at=row.created_at,
        targets=row.lines,
        problem=problem,
        actor=ACTOR,
        now=now,
    )


def locked(session: Session, row: CheckoutSession) -> CheckoutSession:
    """The row as it stands, under its client's lock."""
    lock_client(session, row.client_id)
    session.refresh(row, with_for_update=True)
    return row


def doubt(session: Session, row: CheckoutSession, *, reason: str, about: str, now: datetime) -> str:
    """A review on every invoice that the checkout was for; returns the outcome."""
    open_review(
        session,
        invoice_ids=[int(line["invoice_id"]) for line in row.lines],
        reason=reason,
        source=f"{reason}:{about}",
        details={"checkout_id": row.id},
    )
    reallocate(session, row.client_id, now=now)
    return "needs_review"


def tell_foreign(session: Session, document: Json) -> str:
    """Nothing of ours: booked nowhere. People are told when it was paid and claims to be ours."""
    is_paid = document.get("payment_status") == "paid" or document.get("status") == "succeeded"
    if is_paid and "nudgepay_checkout" in _metadata(document):
        stripe_id = str(document.get("id"))[:255]
        ledger.notice(session, "stripe.unknown_payment", f"stripe.unknown_payment:{stripe_id}", {"id": stripe_id})
    return "foreign"


def last_checkout(session: Session, page: str) -> CheckoutSession | None:
    """The newest checkout that was opened from a page (`invoice:ID` or `letter:UUID`)."""
    query = select(CheckoutSession).where(CheckoutSession.page == page).order_by(CheckoutSession.id.desc())
    return session.scalars(query.limit(1)).first()
