""" "I have paid": a bounded silence in which the money may arrive, and a person who is told to look for it."""

from collections import Counter
from datetime import datetime, time, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from nudgepay import audit, ledger
from nudgepay.invoices.actions import wake
from nudgepay.invoices.models import Client, Invoice
from nudgepay.nudges.answering import lock_clients, lock_invoice, lock_open_invoice
from nudgepay.nudges.answers import PaymentClaim
from nudgepay.nudges.calendars import add_business_days, local_day, local_instant

SILENT_DAYS = 5
MAX_SILENCES = 2
"""A later claim for the same invoice is told to a person, but no longer silences the chase."""


def silence_ends(now: datetime, client: Client, days: int) -> datetime:
    """The end (UTC) of the `days`-th working day of the client after today."""
    last = add_business_days(local_day(now, client.timezone), days, client.country)
    return local_instant(last + timedelta(days=1), time(0), client.timezone)


def claim_paid(
    session: Session, *, invoice_id: int, now: datetime, actor: str, source: str, days: int = SILENT_DAYS
) -> PaymentClaim:
    """Note that the payer says to have paid: silence for `days` working days, and a task for a person.

    While a claim runs, another one changes nothing. Raises NotFound and NothingOpen.
    """
    client, invoice = lock_open_invoice(session, invoice_id)
    known = list(session.scalars(select(PaymentClaim).where(PaymentClaim.invoice_id == invoice_id)))
    running = next((claim for claim in known if claim.settled_at is None and claim.until > now), None)
    if running is not None:
        return running
    until = silence_ends(now, client, days) if len(known) < MAX_SILENCES else now
    claim = PaymentClaim(invoice_id=invoice_id, claimed_at=now, until=until, source=source)
    session.add(claim)
    session.flush()
    audit.record(
        session,
        actor=actor,
        action="payment.claim",
        subject=f"payment_claims:{claim.id}",
        origin=source,
        after={"invoice_id": invoice_id, "until": until.isoformat()},
    )
    details = {"invoice_id": invoice_id, "remaining": invoice.amount_remaining, "until": until.isoformat()}
    ledger.notice(session, "payment.claimed", _notice_key(invoice_id), details)
    wake(session, now=now, invoice_ids=[invoice_id])
    return claim


def settle_claims(session: Session, *, now: datetime, actor: str = "job:promises") -> Counter[str]:
    """Close claims whose money came (`confirmed`, their task too) and those whose silence is over (`expired`)."""
    settled: Counter[str] = Counter()
    waiting = session.execute(
        select(PaymentClaim.id, PaymentClaim.invoice_id, Invoice.client_id)
        .join(Invoice, Invoice.id == PaymentClaim.invoice_id)
        .where(PaymentClaim.settled_at.is_(None), or_(PaymentClaim.until <= now, Invoice.status != "open"))
        .order_by(Invoice.client_id, PaymentClaim.invoice_id, PaymentClaim.id)
    ).all()
    lock_clients(session, [row.client_id for row in waiting])
    for claim_id, invoice_id, _ in waiting:
        _, invoice = lock_invoice(session, invoice_id)
        claim = session.get_one(PaymentClaim, claim_id, populate_existing=True)
        if claim.settled_at is not None:
            continue
        claim.settled_at = now
        outcome = "expired" if invoice.status == "open" else "confirmed"
        audit.record(
            session,
            actor=actor,
            action=f"payment_claim.{outcome}",
            subject=f"payment_claims:{claim_id}",
            after={"invoice_id": invoice_id},
        )
        wake(session, now=now, invoice_ids=[invoice_id])
        settled[outcome] += 1
    for invoice_id in _settled_invoices(session, [row.invoice_id for row in waiting]):
        ledger.resolve_notice(session, _notice_key(invoice_id), actor=actor)
    return settled


def _settled_invoices(session: Session, invoice_ids: list[int]) -> list[int]:
    query = select(Invoice.id).where(Invoice.id.in_(invoice_ids), Invoice.status != "open")
    return list(session.scalars(query))


def _notice_key(invoice_id: int) -> str:
    return f"payment.claimed:{invoice_id}"
