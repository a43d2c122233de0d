"""From the inbox to the books: claim, ask Stripe what is true now, apply in one transaction. In any order."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from nudgepay import ledger, log, metrics
from nudgepay.db import Database, is_outage
from nudgepay.errors import OperationalError
from nudgepay.gateways.stripe import StripeGateway, StripeRefused
from nudgepay.payments.checkouts import book_payment, checkout_of, doubt, take_session
from nudgepay.payments.reversals import Reversal, take_reversal
from nudgepay.payments.terms import StripeTerms

MAX_TRIES = 8
BATCH = 20
CLAIM_SECONDS = 120
_log = log.get("payments")

Json = dict[str, Any]
Applier = Callable[[Session, datetime], str]
"""The writing half of a handler: what became of the event."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One event in this process's hands."""

    event_id: str
    type: str
    payload: str
    attempts: int


def drain(
    db: Database, gateway: StripeGateway | None, *, terms: StripeTerms, now: datetime, limit: int = 1_000
) -> Counter[str]:
    """Apply waiting events, at most `limit`; returns how many ended how. One bad event never blocks the rest."""
    outcomes: Counter[str] = Counter()
    while outcomes.total() < limit:
        with db.transaction() as session:
            claimed = _claim(session)
        for event in claimed:
            outcome = _handle(db, gateway, event, terms=terms, now=now)
            outcomes[outcome] += 1
            metrics.webhook_events.labels(provider="stripe", outcome=outcome).inc()
        if len(claimed) < BATCH:
            break
    return outcomes


_CLAIM = """
UPDATE stripe_events SET attempts = attempts + 1,
       next_try_at = clock_timestamp() + make_interval(secs => :claim_seconds)
 WHERE event_id IN (SELECT event_id FROM stripe_events
                     WHERE handled_at IS NULL AND next_try_at <= clock_timestamp()
                     ORDER BY next_try_at, event_id LIMIT :batch FOR UPDATE SKIP LOCKED)
RETURNING event_id, type, payload, attempts
"""


def _claim(session: Session) -> list[Claimed]:
    rows = session.execute(text(_CLAIM), {"batch": BATCH, "claim_seconds": CLAIM_SECONDS})
    return [Claimed(*row) for row in rows]


def _handle(db: Database, gateway: StripeGateway | None, event: Claimed, *, terms: StripeTerms, now: datetime) -> str:
    try:
        apply = _prepare(gateway, json.loads(event.payload), terms)
        with db.transaction() as session:
            outcome = apply(session, now)
            _close(session, event.event_id, outcome)
    except Exception as error:  # noqa: BLE001  # a poisoned event is parked and told, whatever it raises
        return _put_back(db, event, error)
    return outcome


def _prepare(gateway: StripeGateway | None, document: Json, terms: StripeTerms) -> Applier:
    """Ask Stripe what the event needs, outside any transaction, and return the writing half."""
    handler = HANDLERS.get(document["type"])
    if handler is None:
        return lambda session, now: "ignored"
    subject = document["data"]["object"]
    breach = terms.breach(document)
    if breach is not None:
        return lambda session, now: _park(session, subject, breach, now=now)
    return handler(gateway, document["type"], subject)


def _park(session: Session, subject: Json, reason: str, *, now: datetime) -> str:
    """Money of another mode or account: booked nowhere; an invoice of ours that it names waits for a person."""
    row = checkout_of(session, subject)
    if row is not None:
        doubt(session, row, reason=reason, key=str(subject.get("id")), now=now)
    ledger.notice(session, "stripe.foreign_event", f"stripe.{reason}", {"reason": reason})
    return reason


def _session_changed(gateway: StripeGateway | None, event_type: str, subject: Json) -> Applier:
    return lambda session, now: take_session(session, subject, event_type=event_type, now=now)


def _intent_succeeded(gateway: StripeGateway | None, event_type: str, subject: Json) -> Applier:
    def apply(session: Session, now: datetime) -> str:
        row = checkout_of(session, subject)
        if row is None:
            return "foreign"
        return book_payment(
            session,
            row,
            payment_intent=subject["id"],
            amount=subject.get("amount_received"),
            currency=subject.get("currency"),
            now=now,
        )

    return apply


def _refund_changed(gateway: StripeGateway | None, event_type: str, subject: Json) -> Applier:
    stripe = _needed(gateway)
    refund = stripe.retrieve_refund(subject["id"])
    return _reverse("refund", [refund], stripe.retrieve_payment_intent(refund["payment_intent"]))


def _charge_refunded(gateway: StripeGateway | None, event_type: str, subject: Json) -> Applier:
    stripe = _needed(gateway)
    refunds = stripe.list_refunds(payment_intent=subject["payment_intent"])
    return _reverse("refund", refunds, stripe.retrieve_payment_intent(subject["payment_intent"]))


def _dispute_changed(gateway: StripeGateway | None, event_type: str, subject: Json) -> Applier:
    stripe = _needed(gateway)
    dispute = stripe.retrieve_dispute(subject["id"])
    return _reverse("chargeback", [dispute], stripe.retrieve_payment_intent(dispute["payment_intent"]))


def _reverse(kind: str, documents: list[Json], intent: Json) -> Applier:
    def apply(session: Session, now: datetime) -> str:
        outcome = "ignored"
        for document in documents:
            outcome = take_reversal(session, Reversal(kind, document, intent), now=now)
        return outcome

    return apply


def _needed(gateway: StripeGateway | None) -> StripeGateway:
    if gateway is None:
        raise OperationalError("STRIPE_SECRET_KEY is missing: the event waits until it is set")
    return gateway


Handler = Callable[[StripeGateway | None, str, Json], Applier]
HANDLERS: dict[str, Handler] = {
    "checkout.session.completed": _session_changed,
    "checkout.session.async_payment_succeeded": _session_changed,
    "checkout.session.async_payment_failed": _session_changed,
    "checkout.session.expired": _session_changed,
    "payment_intent.succeeded": _intent_succeeded,
    "charge.refunded": _charge_refunded,
    "refund.created": _refund_changed,
    "refund.updated": _refund_changed,
    "refund.failed": _refund_changed,
    "charge.dispute.created": _dispute_changed,
    "charge.dispute.updated": _dispute_changed,
    "charge.dispute.closed": _dispute_changed,
    "charge.dispute.funds_withdrawn": _dispute_changed,
    "charge.dispute.funds_reinstated": _dispute_changed,
}


def _close(session: Session, event_id: str, outcome: str) -> None:
    session.execute(
        text(
            "UPDATE stripe_events SET handled_at = clock_timestamp(), outcome = :outcome, error = NULL"
            " WHERE event_id = :event_id AND handled_at IS NULL"
        ),
        {"event_id": event_id, "outcome": outcome},
    )


def _put_back(db: Database, event: Claimed, error: Exception) -> str:
    """Try again later with a doubling delay; park after MAX_TRIES, or at once what Stripe itself does not know."""
    gone = isinstance(error, StripeRefused) and error.http_status == 404
    outage = isinstance(error, OperationalError) or (isinstance(error, DBAPIError) and is_outage(error))
    parked = gone or (event.attempts >= MAX_TRIES and not isinstance(error, OperationalError))
    _log.warning("event_not_applied", event_type=event.type, error=type(error).__name__, outage=outage, parked=parked)
    with db.transaction() as session:
        session.execute(
            text(
                "UPDATE stripe_events SET error = :error, next_try_at = clock_timestamp() +"
                " make_interval(secs => :delay) WHERE event_id = :event_id AND handled_at IS NULL"
            ),
            {"event_id": event.event_id, "error": type(error).__name__, "delay": min(2**event.attempts, 900)},
        )
        if parked:
            _close(session, event.event_id, "parked")
            ledger.notice(
                session, "stripe.event_parked", f"stripe.event_parked:{event.event_id}", {"type": event.type}
            )
    return "parked" if parked else "retried"
