"""Imported invoices looked at anew: by the sweep, and before a payer is asked for money."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update

from nudgepay import clock, log
from nudgepay.db import Database
from nudgepay.errors import OperationalError
from nudgepay.gateways.stripe import StripeGateway, StripeKeyRejected, StripeRefused
from nudgepay.invoices.models import Invoice
from nudgepay.payments import drift
from nudgepay.payments.checkouts import minor_units
from nudgepay.payments.models import StripeInvoice
from nudgepay.payments.stripe_invoices import take_invoice

MAX_LOOKS = 200
MAX_LISTED = 5_000
"""Fifty pages of Stripe's list."""
TURNS = 50
"""What no list shows, such as a debit on its way, is read in turns."""
FRESH = timedelta(minutes=10)
PATIENCE_SECONDS = 3.0
"""How long a payer's click may wait for looks, all of them together."""
SHORTEST_LOOK_SECONDS = 0.25
_log = log.get("payments")


def look_at_moved(db: Database, gateway: StripeGateway, *, now: datetime) -> tuple[int, int]:
    """Compare Stripe's list of open invoices with ours, and read those that are not in it any more, or have got
    money; returns how many were read, and had moved. A list that is too long is left to the turns."""
    known = _believed_open(db)
    if not known:
        return 0, 0
    listed: dict[str, Any] = {}
    for number, document in enumerate(gateway.invoices.list_open(with_customers=False)):
        if number >= MAX_LISTED:
            return 0, 0
        listed[str(document["id"])] = minor_units(document.get("amount_paid"), str(document["currency"]).upper())
    moved = [stripe_id for stripe_id, paid in known.items() if listed.get(stripe_id) != paid]
    return _look_at(db, gateway, moved[:MAX_LOOKS], now=now)


def look_in_turns(db: Database, gateway: StripeGateway, *, now: datetime, limit: int = TURNS) -> tuple[int, int]:
    """Read those of which we know no end, the longest unread first; returns how many were read, and had moved."""
    return _look_at(db, gateway, _next_in_turn(db, now=now, limit=limit), now=now)


def _believed_open(db: Database) -> dict[str, int]:
    """What was paid (minor units) of those that are open at Stripe as far as we know; the longest unread first."""
    with db.transaction() as session:
        query = (
            select(StripeInvoice.stripe_id, StripeInvoice.amount_paid)
            .where(StripeInvoice.status == "open")
            .order_by(StripeInvoice.checked_at.asc().nulls_first(), StripeInvoice.invoice_id)
        )
        return {row.stripe_id: row.amount_paid for row in session.execute(query)}


def _look_at(db: Database, gateway: StripeGateway, stripe_ids: Sequence[str], *, now: datetime) -> tuple[int, int]:
    moved = 0
    for stripe_id in stripe_ids:
        try:
            moved += look(db, gateway, stripe_id, now=now)
        except StripeKeyRejected:
            raise
        except StripeRefused:
            drift.tell(db, f"invoice:{stripe_id}", "unknown_at_stripe")
            _mark(db, stripe_id, now=now)
    return len(stripe_ids), moved


def _mark(db: Database, stripe_id: str, *, now: datetime) -> None:
    """One that Stripe does not know waits behind all others."""
    with db.transaction() as session:
        query = update(StripeInvoice).where(StripeInvoice.stripe_id == stripe_id)
        session.execute(query.values(checked_at=now))


def look(db: Database, gateway: StripeGateway, stripe_id: str, *, now: datetime, within: float | None = None) -> bool:
    """Read one invoice and take it as it stands; True when our books moved. `within` in seconds."""
    document = gateway.invoices.retrieve(stripe_id, within=within)
    with db.transaction() as session:
        query = (
            select(Invoice.version, StripeInvoice.status)
            .join(StripeInvoice, StripeInvoice.invoice_id == Invoice.id)
            .where(StripeInvoice.stripe_id == stripe_id)
        )
        before = session.execute(query).first()
        take_invoice(session, document, now=now)
        session.flush()
        return session.execute(query).first() != before


def _next_in_turn(db: Database, *, now: datetime, limit: int) -> list[str]:
    with db.transaction() as session:
        query = (
            select(StripeInvoice)
            .where(StripeInvoice.status.in_(("open", "uncollectible")))
            .order_by(StripeInvoice.checked_at.asc().nulls_first(), StripeInvoice.invoice_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = list(session.scalars(query))
        for row in rows:
            row.checked_at = now
        return [row.stripe_id for row in rows]


def look_before_paying(db: Database, gateway: StripeGateway, invoice_ids: Collection[int], *, now: datetime) -> None:
    """Read what was not read lately, so that nobody pays twice. A Stripe that is slow or away keeps nobody from
    paying: docs/adr/0007."""
    until = clock.monotonic() + PATIENCE_SECONDS
    for stripe_id in _stale(db, invoice_ids, now=now):
        left = until - clock.monotonic()
        if left < SHORTEST_LOOK_SECONDS:
            return
        try:
            look(db, gateway, stripe_id, now=now, within=left)
        except OperationalError as error:
            _log.warning("invoice_not_read", error=type(error).__name__)
            return


def _stale(db: Database, invoice_ids: Collection[int], *, now: datetime) -> list[str]:
    with db.transaction() as session:
        query = select(StripeInvoice.stripe_id).where(
            StripeInvoice.invoice_id.in_(invoice_ids),
            StripeInvoice.status.in_(("open", "uncollectible")),
            or_(StripeInvoice.checked_at.is_(None), StripeInvoice.checked_at < now - FRESH),
        )
        return list(session.scalars(query.order_by(StripeInvoice.invoice_id)))
