"""Webhooks are hints, the sweep is the truth: Stripe and the books are compared, both ways."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay.db import Database
from nudgepay.gateways.stripe import StripeGateway, StripeKeyRejected, StripeRefused
from nudgepay.invoices.queries import lock_client
from nudgepay.ledger import LedgerEntry
from nudgepay.payments import drift
from nudgepay.payments.apply import HANDLERS, drain
from nudgepay.payments.books import reallocate
from nudgepay.payments.checkouts import take_session
from nudgepay.payments.closing import close_outdated
from nudgepay.payments.inbox import IncomingEvent, store
from nudgepay.payments.invoice_looks import look_at_moved, look_in_turns
from nudgepay.payments.models import CheckoutSession
from nudgepay.payments.reversals import payment_of, take_reversal
from nudgepay.payments.telling_stripe import tell_stripe
from nudgepay.payments.terms import StripeTerms

OVERLAP = timedelta(hours=1)
LONGEST_LOOK_BACK = timedelta(days=29)
"""Stripe lists events for 30 days (docs.stripe.com/api/events)."""
SESSION_LIFE = timedelta(hours=24)
UNSETTLED_AFTER = timedelta(minutes=2)
MAX_LOOKS = 200
CHUNK = 100
NAME = "stripe_sweep"


@dataclass(slots=True)
class SweepReport:
    """What a sweep found: events that no webhook brought, sessions that moved, what either side does not know; and
    the sessions that it closed because they ask for more than is owed; imported invoices that were read anew, that
    moved, and that were closed at Stripe because they are paid here."""

    events_found: int = 0
    events_applied: int = 0
    sessions_checked: int = 0
    sessions_changed: int = 0
    sessions_found: int = 0
    sessions_closed: int = 0
    invoices_checked: int = 0
    invoices_changed: int = 0
    invoices_closed: int = 0
    refunds_found: int = 0
    drift: int = 0

    def document(self) -> dict[str, Any]:
        """For `--json` and the ledger."""
        return asdict(self)


def run_sweep(
    db: Database, gateway: StripeGateway, *, terms: StripeTerms, now: datetime, since: datetime | None = None
) -> SweepReport:
    """Compare both ways since the last sweep that ended well (or `since`). May be repeated at any time.

    Each step writes in small transactions of its own, so a sweep that is killed has lost nothing.
    """
    with db.transaction() as session:
        begin = since or _last_sweep(session, now)
    report = SweepReport()
    created_since = int(begin.timestamp())
    _collect_events(db, gateway, created_since, report)
    report.events_applied = drain(db, gateway, terms=terms, now=now).total()
    _check_unsettled(db, gateway, report, terms=terms, now=now)
    _find_paid_sessions(db, gateway, int((begin - SESSION_LIFE).timestamp()), report, terms=terms, now=now)
    for read, moved in (look_at_moved(db, gateway, now=now), look_in_turns(db, gateway, now=now)):
        report.invoices_checked += read
        report.invoices_changed += moved
    _find_refunds(db, gateway, created_since, report, now=now)
    report.drift = drift.compare_facts(db, gateway, since=begin)
    report.sessions_closed = close_outdated(db, gateway, now=now)
    report.invoices_closed = tell_stripe(db, gateway, now=now)
    return report


def _last_sweep(session: Session, now: datetime) -> datetime:
    """Where the last whole sweep began; a job that ran without Stripe compared nothing."""
    query = (
        select(LedgerEntry.started_at)
        .where(LedgerEntry.kind == "job", LedgerEntry.name == NAME, LedgerEntry.outcome == "done")
        .where(LedgerEntry.details.has_key("events_found"))
        .order_by(LedgerEntry.started_at.desc())
    )
    last = session.scalars(query.limit(1)).first()
    earliest = now - LONGEST_LOOK_BACK
    return max(last - OVERLAP, earliest) if last is not None else earliest


def _collect_events(db: Database, gateway: StripeGateway, created_since: int, report: SweepReport) -> None:
    """Whatever Stripe remembers and we do not goes into the inbox, as if a webhook had brought it."""
    documents = gateway.list_events(created_since=created_since, types=HANDLERS.keys())
    for chunk in _chunks(documents):
        events = [IncomingEvent(document["id"], document["type"], json.dumps(document)) for document in chunk]
        with db.transaction() as session:
            report.events_found += sum(store(session, event) for event in events)


def _chunks(documents: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    waiting = iter(documents)
    while chunk := list(islice(waiting, CHUNK)):
        yield chunk


def _check_unsettled(
    db: Database, gateway: StripeGateway, report: SweepReport, *, terms: StripeTerms, now: datetime
) -> None:
    """Our sessions of which we know no end, those that were not asked about for longest first."""
    for session_id in _unsettled(db, now):
        report.sessions_checked += 1
        try:
            document = gateway.retrieve_checkout_session(session_id)
        except StripeKeyRejected:
            raise
        except StripeRefused:
            drift.tell(db, f"session:{session_id}", "unknown_at_stripe")
            continue
        changed = _take(db, document, terms=terms, now=now)
        if document.get("status") == "complete" and document.get("payment_status") == "unpaid":
            changed = _follow_debit(db, gateway, document, now=now) or changed
        report.sessions_changed += changed


def _unsettled(db: Database, now: datetime) -> list[str]:
    with db.transaction() as session:
        query = (
            select(CheckoutSession)
            .where(
                CheckoutSession.session_id.is_not(None),
                CheckoutSession.succeeded_at.is_(None),
                CheckoutSession.failed_at.is_(None),
                CheckoutSession.expired_at.is_(None),
                CheckoutSession.created_at <= now - UNSETTLED_AFTER,
            )
            .order_by(CheckoutSession.checked_at.asc().nulls_first(), CheckoutSession.id)
            .limit(MAX_LOOKS)
            .with_for_update(skip_locked=True)
        )
        rows = list(session.scalars(query))
        for row in rows:
            row.checked_at = now
        return [row.session_id for row in rows if row.session_id is not None]


def _follow_debit(db: Database, gateway: StripeGateway, document: dict[str, Any], *, now: datetime) -> bool:
    """A delayed payment that failed shows only on its PaymentIntent; True when that is news.

    docs.stripe.com/payments/paymentintents/lifecycle.
    """
    intent = document.get("payment_intent")
    if not isinstance(intent, str):
        return False
    if gateway.retrieve_payment_intent(intent)["status"] not in {"requires_payment_method", "canceled"}:
        return False
    with db.transaction() as session:
        row = session.scalar(select(CheckoutSession).where(CheckoutSession.session_id == document["id"]))
        if row is None:
            return False
        lock_client(session, row.client_id)
        session.refresh(row, with_for_update=True)
        is_news = row.failed_at is None
        row.failed_at = row.failed_at or now
        session.flush()
        reallocate(session, row.client_id, now=now)
        return is_news


def _find_paid_sessions(
    db: Database,
    gateway: StripeGateway,
    created_since: int,
    report: SweepReport,
    *,
    terms: StripeTerms,
    now: datetime,
) -> None:
    """Sessions with our metadata that are complete at Stripe, whatever we remember of them."""
    for document in gateway.list_checkout_sessions(created_since=created_since):
        if "nudgepay_checkout" in (document.get("metadata") or {}) and document.get("status") == "complete":
            report.sessions_found += _take(db, document, terms=terms, now=now)


def _take(db: Database, document: dict[str, Any], *, terms: StripeTerms, now: datetime) -> bool:
    """Apply a fetched session; True when it told something new."""
    with db.transaction() as session:
        before = _state(session, document["id"])
        take_session(session, document, event_type=None, now=now, breach=terms.breach(document))
        session.flush()
        return _state(session, document["id"]) != before


def _state(session: Session, session_id: str) -> tuple[object, ...]:
    columns = (CheckoutSession.completed_unpaid_at, CheckoutSession.succeeded_at, CheckoutSession.expired_at)
    row = session.execute(select(*columns).where(CheckoutSession.session_id == session_id)).first()
    return tuple(row or ())


def _find_refunds(
    db: Database, gateway: StripeGateway, created_since: int, report: SweepReport, *, now: datetime
) -> None:
    """Refunds of payments on our books, whether or not an event told of them."""
    for document in gateway.list_recent_refunds(created_since=created_since):
        intent = document.get("payment_intent")
        with db.transaction() as session:
            payment = payment_of(session, intent) if isinstance(intent, str) else None
            if payment is not None:
                before = drift.standing(session, document["id"])
                take_reversal(session, "refund", document, payment, now=now)
                report.refunds_found += drift.standing(session, document["id"]) != before
