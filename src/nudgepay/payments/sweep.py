"""Webhooks are hints, the sweep is the truth: Stripe and the books are compared, both ways."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay import ledger
from nudgepay.db import Database
from nudgepay.gateways.stripe import StripeGateway, StripeRefused
from nudgepay.ledger import LedgerEntry
from nudgepay.payments.apply import drain
from nudgepay.payments.checkouts import take_session
from nudgepay.payments.closing import close_outdated
from nudgepay.payments.inbox import IncomingEvent, store
from nudgepay.payments.models import CheckoutSession, MoneyFact
from nudgepay.payments.terms import StripeTerms

OVERLAP = timedelta(hours=1)
LONGEST_LOOK_BACK = timedelta(days=29)
"""Stripe lists events for 30 days (docs.stripe.com/api/events)."""
UNSETTLED_AFTER = timedelta(minutes=2)
MAX_LOOKS = 200
NAME = "stripe_sweep"


@dataclass(slots=True)
class SweepReport:
    """What a sweep found: events that no webhook brought, sessions that moved or were closed because they ask for
    more than is owed, facts that Stripe does not know."""

    events_found: int = 0
    events_applied: int = 0
    sessions_checked: int = 0
    sessions_changed: int = 0
    sessions_found: int = 0
    sessions_closed: int = 0
    drift: int = 0

    def document(self) -> dict[str, Any]:
        """For `--json` and the ledger."""
        return asdict(self)


def run_sweep(
    db: Database, gateway: StripeGateway, *, terms: StripeTerms, now: datetime, since: datetime | None = None
) -> SweepReport:
    """Compare both ways since the last sweep that ended well (or `since`). May be repeated at any time."""
    with db.transaction() as session:
        begin = since or _last_sweep(session, now)
    report = SweepReport()
    created_since = int(begin.timestamp())
    _collect_events(db, gateway, created_since, report)
    report.events_applied = drain(db, gateway, terms=terms, now=now).total()
    _check_unsettled(db, gateway, report, terms=terms, now=now)
    _find_paid_sessions(db, gateway, created_since, report, terms=terms, now=now)
    _find_unknown_facts(db, gateway, begin, report)
    report.sessions_closed = close_outdated(db, gateway, now=now)
    return report


def _last_sweep(session: Session, now: datetime) -> datetime:
    query = (
        select(LedgerEntry.started_at)
        .where(LedgerEntry.kind == "job", LedgerEntry.name == NAME, LedgerEntry.outcome == "done")
        .order_by(LedgerEntry.started_at.desc())
    )
    last = session.scalars(query.limit(1)).first()
    earliest = now - LONGEST_LOOK_BACK
    return max(last - OVERLAP, earliest) if last is not None else earliest


def _collect_events(db: Database, gateway: StripeGateway, created_since: int, report: SweepReport) -> None:
    """Whatever Stripe remembers and we do not goes into the inbox, as if a webhook had brought it."""
    for document in gateway.list_events(created_since=created_since):
        event = IncomingEvent(document["id"], document["type"], json.dumps(document))
        with db.transaction() as session:
            report.events_found += store(session, event)


def _check_unsettled(
    db: Database, gateway: StripeGateway, report: SweepReport, *, terms: StripeTerms, now: datetime
) -> None:
    with db.transaction() as session:
        waiting = session.scalars(
            select(CheckoutSession.session_id)
            .where(
                CheckoutSession.session_id.is_not(None),
                CheckoutSession.succeeded_at.is_(None),
                CheckoutSession.failed_at.is_(None),
                CheckoutSession.expired_at.is_(None),
                CheckoutSession.created_at <= now - UNSETTLED_AFTER,
            )
            .order_by(CheckoutSession.id)
            .limit(MAX_LOOKS)
        ).all()
    for session_id in waiting:
        if session_id is None:
            continue
        report.sessions_checked += 1
        try:
            document = gateway.retrieve_checkout_session(session_id)
        except StripeRefused as error:
            if error.http_status == 404:
                report.drift += _tell_drift(db, f"session:{session_id}")
                continue
            raise
        report.sessions_changed += _take(db, document, terms=terms, now=now)


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
        if "nudgepay_checkout" in document["metadata"] and document["status"] == "complete":
            report.sessions_found += _take(db, document, terms=terms, now=now)


def _take(db: Database, document: dict[str, Any], *, terms: StripeTerms, now: datetime) -> bool:
    """Apply a fetched session; True when it told something new."""
    if terms.breach(document) is not None:
        return False
    with db.transaction() as session:
        before = _state(session, document["id"])
        take_session(session, document, event_type=None, now=now)
        session.flush()
        return _state(session, document["id"]) != before


def _state(session: Session, session_id: str) -> tuple[object, ...]:
    columns = (CheckoutSession.completed_unpaid_at, CheckoutSession.succeeded_at, CheckoutSession.expired_at)
    row = session.execute(select(*columns).where(CheckoutSession.session_id == session_id)).first()
    return tuple(row or ())


def _find_unknown_facts(db: Database, gateway: StripeGateway, begin: datetime, report: SweepReport) -> None:
    for payment_intent in _booked_since(db, begin):
        try:
            gateway.retrieve_payment_intent(payment_intent)
        except StripeRefused as error:
            if error.http_status != 404:
                raise
            report.drift += _tell_drift(db, f"payment:{payment_intent}")


def _booked_since(db: Database, begin: datetime) -> Iterator[str]:
    with db.transaction() as session:
        query = (
            select(MoneyFact.provider_id)
            .where(
                MoneyFact.provider == "stripe",
                MoneyFact.kind == "payment",
                MoneyFact.voided_at.is_(None),
                MoneyFact.recorded_at >= begin,
            )
            .order_by(MoneyFact.id.desc())
            .limit(MAX_LOOKS)
        )
        found = session.scalars(query).all()
    yield from (payment_intent for payment_intent in found if payment_intent.startswith("pi_"))


def _tell_drift(db: Database, what: str) -> int:
    with db.transaction() as session:
        ledger.notice(session, "stripe.drift", f"stripe.drift:{what}", {"unknown_at_stripe": what})
    return 1
