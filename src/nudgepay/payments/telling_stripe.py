"""What our books know and Stripe does not: an imported invoice that was paid here is closed there.

Else Stripe would go on chasing or debiting it. The intent is written down before Stripe is asked; the next sweep goes
on with whatever was cut short, under the same idempotency key.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from nudgepay import ledger
from nudgepay.db import Database
from nudgepay.errors import OperationalError
from nudgepay.gateways.stripe import StripeGateway, StripeKeyRejected, StripeOutcomeUnknown, StripeRefused
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import lock_client
from nudgepay.payments.models import StripeInvoice
from nudgepay.payments.stripe_invoices import FINAL, take_invoice

ACTOR = "job:stripe_sweep"
BATCH = 50
AGAIN_AFTER = timedelta(hours=23)
"""After a final refusal; a person may have cured its cause."""
IN_FLIGHT = timedelta(minutes=5)
"""Longer than any call to Stripe takes with all its tries."""
SETTLED = frozenset({"paid", "overpaid"})
"""In a doubt about the money nothing is told."""
NOT_CLOSED = "stripe.invoice_not_closed"
PARTIAL = "stripe.partial_payment_untold"
_UNFINISHED = StripeInvoice.status.not_in(FINAL)


@dataclass(frozen=True, slots=True)
class _Closing:
    stripe_id: str
    key: str


def tell_stripe(db: Database, gateway: StripeGateway, *, now: datetime, limit: int = BATCH) -> int:
    """Close at Stripe what our books say is paid, and tell people of what Stripe cannot be told; returns how many
    were closed. A Stripe that is away is left to the next sweep."""
    _tell_partial(db, now=now, limit=limit)
    _give_up_intents(db, gateway, now=now, limit=limit)
    return sum(_close(db, gateway, stripe_id, now=now) for stripe_id in _paid_here(db, now=now, limit=limit))


def _paid_here(db: Database, *, now: datetime, limit: int) -> list[str]:
    with db.transaction() as session:
        query = (
            select(StripeInvoice.stripe_id)
            .join(Invoice, Invoice.id == StripeInvoice.invoice_id)
            .where(
                Invoice.status == "paid",
                Invoice.money_state.in_(SETTLED),
                _UNFINISHED,
                or_(StripeInvoice.refused_at.is_(None), StripeInvoice.refused_at <= now - AGAIN_AFTER),
            )
        )
        return list(session.scalars(query.order_by(StripeInvoice.invoice_id).limit(limit)))


def _close(db: Database, gateway: StripeGateway, stripe_id: str, *, now: datetime) -> bool:
    """Look, write down, call, write down. True when it is closed there because of us."""
    try:
        document = gateway.invoices.retrieve(stripe_id)
        with db.transaction() as session:
            take_invoice(session, document, now=now)
        with db.transaction() as session:
            closing = _intend(session, stripe_id, now=now)
        if closing is None:
            return False
        gateway.invoices.close_as_paid_elsewhere(stripe_id, idempotency_key=closing.key)
    except StripeKeyRejected:
        raise
    except StripeRefused as error:
        _refused(db, stripe_id, error, now=now)
        return False
    except StripeOutcomeUnknown as error:
        if error.is_replay:
            _use_next_key(db, stripe_id)
        return False
    with db.transaction() as session:
        _closed(session, stripe_id, now=now)
    return True


def _locked(session: Session, stripe_id: str) -> tuple[StripeInvoice, Invoice]:
    row = session.scalars(select(StripeInvoice).where(StripeInvoice.stripe_id == stripe_id)).one()
    invoice = session.get_one(Invoice, row.invoice_id)
    lock_client(session, invoice.client_id)
    session.refresh(invoice, with_for_update=True)
    session.refresh(row, with_for_update=True)
    return row, invoice


def _intend(session: Session, stripe_id: str, *, now: datetime) -> _Closing | None:
    """Our word that it is paid here; None when it is not, or Stripe knows an end of its own."""
    row, invoice = _locked(session, stripe_id)
    is_settled = invoice.status == "paid" and invoice.money_state in SETTLED
    if not is_settled or row.status in FINAL or row.money_pending_at is not None:
        return None
    row.closing_at = row.closing_at or now
    return _Closing(stripe_id, f"np:close:{stripe_id}:{row.refusals + 1}")


def _closed(session: Session, stripe_id: str, *, now: datetime) -> None:
    row, _ = _locked(session, stripe_id)
    row.status, row.closed_at, row.refused_at = "paid", now, None
    for kind in (NOT_CLOSED, PARTIAL):
        ledger.resolve_notice(session, f"{kind}:{stripe_id}", actor=ACTOR)


def _refused(db: Database, stripe_id: str, error: StripeRefused, *, now: datetime) -> None:
    with db.transaction() as session:
        row, invoice = _locked(session, stripe_id)
        row.refused_at = now
        row.refusals += 1
        details = {"invoice_id": invoice.id, "stripe_invoice": stripe_id, "code": error.code}
        ledger.notice(session, NOT_CLOSED, f"{NOT_CLOSED}:{stripe_id}", details)


def _use_next_key(db: Database, stripe_id: str) -> None:
    """The key's first call failed for good; the next sweep looks first, then asks under another."""
    with db.transaction() as session:
        _locked(session, stripe_id)[0].refusals += 1


def _give_up_intents(db: Database, gateway: StripeGateway, *, now: datetime, limit: int) -> None:
    """The payment was taken back before Stripe was told: what a person does there counts as news again."""
    with db.transaction() as session:
        query = (
            select(StripeInvoice.stripe_id)
            .join(Invoice, Invoice.id == StripeInvoice.invoice_id)
            .where(
                StripeInvoice.closing_at <= now - IN_FLIGHT,
                StripeInvoice.closed_at.is_(None),
                _UNFINISHED,
                Invoice.status == "open",
            )
        )
        waiting = list(session.scalars(query.limit(limit)))
    for stripe_id in waiting:
        try:
            document = gateway.invoices.retrieve(stripe_id)
        except StripeKeyRejected:
            raise
        except OperationalError:
            continue
        with db.transaction() as session:
            if document.get("status") not in FINAL:
                _locked(session, stripe_id)[0].closing_at = None
            take_invoice(session, document, now=now)


def _tell_partial(db: Database, *, now: datetime, limit: int) -> None:
    """Part of it came here, and Stripe takes no word of a part: people are told, once for each invoice."""
    with db.transaction() as session:
        query = (
            select(StripeInvoice.stripe_id, Invoice.id)
            .join(Invoice, Invoice.id == StripeInvoice.invoice_id)
            .where(
                and_(Invoice.status == "open", Invoice.amount_paid > StripeInvoice.amount_paid),
                _UNFINISHED,
                StripeInvoice.partial_told_at.is_(None),
            )
        )
        for stripe_id, invoice_id in session.execute(query.limit(limit)).all():
            details = {"invoice_id": invoice_id, "stripe_invoice": stripe_id}
            ledger.notice(session, PARTIAL, f"{PARTIAL}:{stripe_id}", details)
            session.execute(
                update(StripeInvoice).where(StripeInvoice.stripe_id == stripe_id).values(partial_told_at=now)
            )
