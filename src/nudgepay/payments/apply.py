"""From the inbox to the books: claim, ask Stripe what is true now, apply in one transaction. In any order."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from nudgepay import ledger, log, metrics
from nudgepay.db import Database, is_outage
from nudgepay.errors import OperationalError
from nudgepay.gateways.stripe import StripeGateway, StripeKeyRejected, StripeRefused
from nudgepay.payments.checkouts import Told, book_payment, checkout_of, take_session, tell_foreign
from nudgepay.payments.reversals import ensure_payment, payment_of, take_reversal
from nudgepay.payments.stripe_invoices import doubt_foreign, hold_unread, is_any_imported, is_imported, take_invoice
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
        apply = _prepare(db, gateway, json.loads(event.payload), terms)
        with db.transaction() as session:
            outcome = apply(session, now)
            _close(session, event.event_id, outcome)
    except Exception as error:  # noqa: BLE001  # a poisoned event is parked and told, whatever it raises
        return _put_back(db, event, error, now=now)
    return outcome


def _prepare(db: Database, gateway: StripeGateway | None, document: Json, terms: StripeTerms) -> Applier:
    """Ask Stripe what the event needs, outside any transaction, and return the writing half."""
    handler = HANDLERS.get(document["type"])
    if handler is None:
        return lambda session, now: "ignored"
    subject = document["data"]["object"]
    breach = _own_terms(gateway, document, terms).breach(document)
    if breach is not None:
        return lambda session, now: _take_foreign(session, subject, breach, now=now)
    return handler(db, gateway, document["type"], subject)


def _own_terms(gateway: StripeGateway | None, document: Json, terms: StripeTerms) -> StripeTerms:
    """With our own account's id, asked of Stripe when an event names one and no setting says which is ours."""
    if document.get("account") is None or terms.account is not None or gateway is None:
        return terms
    return replace(terms, account=gateway.retrieve_account()["id"])


def _take_foreign(session: Session, subject: Json, breach: str, *, now: datetime) -> str:
    """Of another mode or account: nothing is booked; an invoice of ours that it names waits for a person."""
    ledger.notice(session, "stripe.foreign_event", f"stripe.{breach}", {"reason": breach})
    if subject.get("object") == "invoice":
        doubt_foreign(session, subject, reason=breach, now=now)
    if checkout_of(session, subject) is None:
        return breach
    if subject.get("object") == "checkout.session":
        take_session(session, subject, event_type=None, now=now, breach=breach)
    elif subject.get("object") == "payment_intent":
        _take_intent(session, subject, now=now, breach=breach)
    return breach


def _invoice_changed(db: Database, gateway: StripeGateway | None, event_type: str, subject: Json) -> Applier:
    """An invoice at Stripe says nothing of its payments by itself: one that was imported is read anew."""
    with db.transaction() as session:
        is_ours = is_imported(session, subject["id"])
    if not is_ours:
        return lambda session, now: "ignored"
    document = _needed(gateway).invoices.retrieve(subject["id"])
    return lambda session, now: take_invoice(session, document, now=now)


def _session_changed(db: Database, gateway: StripeGateway | None, event_type: str, subject: Json) -> Applier:
    return lambda session, now: take_session(session, subject, event_type=event_type, now=now)


def _intent_succeeded(db: Database, gateway: StripeGateway | None, event_type: str, subject: Json) -> Applier:
    return lambda session, now: _take_intent(session, subject, now=now)


def _take_intent(session: Session, intent: Json, *, now: datetime, breach: str | None = None) -> str:
    row = checkout_of(session, intent)
    if row is None:
        return tell_foreign(session, intent)
    told = Told.by(intent["id"], intent.get("amount_received"), intent.get("currency"))
    return book_payment(session, row, told, problem=breach, now=now)


def _refund_changed(db: Database, gateway: StripeGateway | None, event_type: str, subject: Json) -> Applier:
    return _reverse(db, gateway, "refund", [subject], subject.get("payment_intent"))


def _charge_refunded(db: Database, gateway: StripeGateway | None, event_type: str, subject: Json) -> Applier:
    """The charge names its refunds only in older API versions; else Stripe is asked."""
    intent = subject.get("payment_intent")
    listed = (subject.get("refunds") or {}).get("data") or []
    if not listed and isinstance(intent, str):
        listed = _needed(gateway).list_refunds(payment_intent=intent)
    return _reverse(db, gateway, "refund", listed, intent)


def _dispute_changed(db: Database, gateway: StripeGateway | None, event_type: str, subject: Json) -> Applier:
    return _reverse(db, gateway, "chargeback", [subject], subject.get("payment_intent"))


def _reverse(
    db: Database, gateway: StripeGateway | None, kind: str, documents: list[Json], intent_id: Any
) -> Applier:
    """Stripe is asked for the payment only when the books do not have it yet."""
    if not isinstance(intent_id, str):
        return lambda session, now: "foreign"
    with db.transaction() as session:
        is_known = payment_of(session, intent_id) is not None
    intent = {"id": intent_id} if is_known else _needed(gateway).retrieve_payment_intent(intent_id)
    paid = [] if is_known else _imported_invoices_of(db, _needed(gateway), intent)

    def apply(session: Session, now: datetime) -> str:
        for invoice in paid:
            take_invoice(session, invoice, now=now)
        payment = ensure_payment(session, intent, now=now)
        if payment is None:
            return "foreign"
        outcomes = [take_reversal(session, kind, document, payment, now=now) for document in documents]
        return outcomes[-1] if outcomes else "ignored"

    return apply


def _imported_invoices_of(db: Database, gateway: StripeGateway, intent: Json) -> list[Json]:
    """The imported invoices that a PaymentIntent paid at Stripe, read anew; a checkout of ours paid none there."""
    with db.transaction() as session:
        if checkout_of(session, intent) is not None or not is_any_imported(session):
            return []
    ids = gateway.invoices.invoices_paid_by(intent["id"])
    with db.transaction() as session:
        ours = [invoice_id for invoice_id in ids if is_imported(session, invoice_id)]
    return [gateway.invoices.retrieve(invoice_id) for invoice_id in ours]


def _needed(gateway: StripeGateway | None) -> StripeGateway:
    if gateway is None:
        raise OperationalError("STRIPE_SECRET_KEY is missing: the event waits until it is set")
    return gateway


Handler = Callable[[Database, StripeGateway | None, str, Json], Applier]
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
    **dict.fromkeys(
        (
            *("invoice.marked_uncollectible", "invoice.paid", "invoice.payment_failed"),
            *("invoice.payment_succeeded", "invoice.updated", "invoice.voided"),
        ),
        _invoice_changed,
    ),
}
"""Not more than 20: Stripe lists events of that many types at once (docs.stripe.com/api/events/list)."""


def _close(session: Session, event_id: str, outcome: str) -> None:
    session.execute(
        text(
            "UPDATE stripe_events SET handled_at = clock_timestamp(), outcome = :outcome,"
            " error = CASE WHEN :outcome = 'parked' THEN error END WHERE event_id = :event_id AND handled_at IS NULL"
        ),
        {"event_id": event_id, "outcome": outcome},
    )


def _put_back(db: Database, event: Claimed, error: Exception, *, now: datetime) -> str:
    """Try again later with a doubling delay; what is no outage is parked after MAX_TRIES, and told.

    An invoice that the event calls paid is silent from now on.
    """
    is_outside = _is_outage(error)
    parked = event.attempts >= MAX_TRIES and not is_outside
    _log.warning("event_not_applied", event_type=event.type, error=type(error).__name__, outage=is_outside)
    if is_outside and event.type.startswith("invoice."):
        with db.transaction() as session:
            hold_unread(session, json.loads(event.payload)["data"]["object"], now=now)
    with db.transaction() as session:
        session.execute(
            text(
                "UPDATE stripe_events SET error = :error, next_try_at = clock_timestamp() +"
                " make_interval(secs => :delay) WHERE event_id = :event_id AND handled_at IS NULL"
            ),
            {"event_id": event.event_id, "error": type(error).__name__, "delay": _delay(event.attempts)},
        )
        if parked:
            _close(session, event.event_id, "parked")
            ledger.notice(
                session, "stripe.event_parked", f"stripe.event_parked:{event.event_id}", {"type": event.type}
            )
    return "parked" if parked else "retried"


def _delay(attempts: int) -> int:
    """Seconds until the next try: 2, 4, 8 ... at most 15 minutes."""
    return int(min(2 ** min(attempts, 10), 900))


def _is_outage(error: Exception) -> bool:
    """True when trying later helps by itself; what Stripe refuses, other than our key, it will refuse again."""
    if isinstance(error, StripeRefused):
        return isinstance(error, StripeKeyRejected)
    return isinstance(error, OperationalError) or (isinstance(error, DBAPIError) and is_outage(error))
