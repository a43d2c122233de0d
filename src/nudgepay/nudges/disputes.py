""" "Something is wrong": the payer's objection to all or a part of an invoice. Only the rest may be claimed.

A person resolves it; until then the uncontested part alone is chased. Stripe's dispute is a chargeback, not this.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay import audit, ledger
from nudgepay.errors import Conflict, NotFound, UsageError
from nudgepay.invoices.actions import wake
from nudgepay.invoices.models import Invoice
from nudgepay.nudges.answering import lock_invoice, lock_open_invoice
from nudgepay.nudges.answers import Dispute

RESOLUTIONS = ("accepted", "rejected", "withdrawn")
"""Accepted: the payer is right, and a credit is booked for what is not owed. Rejected: all of it is owed."""
MAX_MESSAGE = 2000


class DisputeOutOfRange(UsageError):
    """The contested amount is none that is owed, or the message cannot be kept."""


class DisputeResolved(Conflict):
    """Somebody has resolved this dispute already."""


def open_dispute(
    session: Session,
    *,
    invoice_id: int,
    now: datetime,
    actor: str,
    source: str,
    amount: int | None = None,
    message: str | None = None,
) -> Dispute:
    """Contest `amount` minor units of what is owed (None: all of it); a person gets a task.

    An open dispute from the same source is replaced by the newer words; the same words again change nothing.
    Raises NotFound, NothingOpen, DisputeOutOfRange.
    """
    _, invoice = lock_open_invoice(session, invoice_id)
    if amount is not None and not 0 < amount <= invoice.amount_remaining:
        raise DisputeOutOfRange("the contested amount must be a part of what is owed")
    if message is not None and len(message) > MAX_MESSAGE:
        raise DisputeOutOfRange(f"the message must not be longer than {MAX_MESSAGE} characters")
    if message is not None and "\0" in message:
        raise DisputeOutOfRange("message: holds a NUL character, which no text may hold; remove it")
    contested = None if amount == invoice.amount_remaining else amount
    dispute = session.scalar(
        select(Dispute).where(
            Dispute.invoice_id == invoice_id, Dispute.resolved_at.is_(None), Dispute.source == source
        )
    )
    if dispute is None:
        dispute = Dispute(invoice_id=invoice_id, source=source, opened_at=now)
        session.add(dispute)
    elif (dispute.amount, dispute.message) == (contested, message):
        return dispute
    dispute.amount, dispute.message = contested, message
    session.flush()
    audit.record(
        session,
        actor=actor,
        action="dispute.open",
        subject=f"disputes:{dispute.id}",
        origin=source,
        after={"invoice_id": invoice_id, "amount": contested},
    )
    details = {"invoice_id": invoice_id, "dispute_id": dispute.id, "amount": contested}
    ledger.notice(session, "dispute.opened", _notice_key(dispute.id), details)
    wake(session, now=now, invoice_ids=[invoice_id])
    return dispute


def contested_with(session: Session, invoice: Invoice, *, amount: int | None, source: str) -> int:
    """How much of the invoice would be contested if `source` contested `amount` of it (None: all), as the engine
    counts it: what others contest stays. Changes nothing."""
    query = select(Dispute.amount).where(
        Dispute.invoice_id == invoice.id, Dispute.resolved_at.is_(None), Dispute.source != source
    )
    said = [*session.scalars(query), amount]
    return invoice.amount_remaining if None in said else sum(one for one in said if one is not None)


def resolve_dispute(session: Session, dispute_id: int, *, resolution: str, now: datetime, actor: str) -> Dispute:
    """Close a dispute as `accepted`, `rejected` or `withdrawn`; what it held is chased again.

    Raises NotFound, DisputeResolved, UsageError.
    """
    if resolution not in RESOLUTIONS:
        raise UsageError(f"the resolution must be one of: {', '.join(RESOLUTIONS)}")
    invoice_id = session.scalar(select(Dispute.invoice_id).where(Dispute.id == dispute_id))
    if invoice_id is None:
        raise NotFound(f"there is no dispute {dispute_id}; see: nudgepay disputes list")
    lock_invoice(session, invoice_id)
    dispute = session.get_one(Dispute, dispute_id, populate_existing=True)
    if dispute.resolved_at is not None:
        raise DisputeResolved(f"dispute {dispute_id} was resolved already")
    dispute.resolved_at, dispute.resolved_by, dispute.resolution = now, actor, resolution
    ledger.resolve_notice(session, _notice_key(dispute_id), actor=actor)
    audit.record(
        session,
        actor=actor,
        action="dispute.resolve",
        subject=f"disputes:{dispute_id}",
        after={"invoice_id": invoice_id, "resolution": resolution},
    )
    wake(session, now=now, invoice_ids=[invoice_id])
    return dispute


def _notice_key(dispute_id: int) -> str:
    return f"dispute.opened:{dispute_id}"
