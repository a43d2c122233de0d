"""From rows to facts and back: rewrite a client's allocations and its invoices' money, by difference only."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import ledger
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import lock_client, lock_invoices
from nudgepay.payments.facts import INCOMING, Claim, Fact, Outcome, Target, allocate, money_state
from nudgepay.payments.models import Allocation, CheckoutSession, MoneyFact, Review


def reallocate(session: Session, client_id: int, *, now: datetime) -> Outcome:
    """Make a client's allocations and invoices what its facts say. Takes the client's lock, then its invoices'.

    The only writer of `amount_paid`, `amount_remaining`, `money_state` and of `status` between open and paid.
    An invoice that does not change keeps its version.
    """
    lock_client(session, client_id)
    ids = session.scalars(select(Invoice.id).where(Invoice.client_id == client_id)).all()
    invoices = lock_invoices(session, ids)
    rows = session.scalars(
        select(MoneyFact).where(MoneyFact.client_id == client_id, MoneyFact.voided_at.is_(None))
    ).all()
    claims = {
        invoice.id: Claim(invoice.id, invoice.currency, invoice.amount_due)
        for invoice in invoices
        if invoice.status in {"open", "paid"}
    }
    facts = [_fact(row) for row in rows if row.problem is None]
    outcome = allocate(facts, claims)
    _write_allocations(session, [invoice.id for invoice in invoices], outcome)
    pending = _invoices_in_payment(session, client_id)
    reviewed = _invoices_in_review(session, client_id)
    excess = _overpaid_invoices(facts, outcome)
    for invoice in invoices:
        if invoice.id in claims:
            _write_invoice(
                invoice,
                paid=outcome.paid.get(invoice.id, 0),
                state=money_state(
                    amount_due=invoice.amount_due,
                    paid=outcome.paid.get(invoice.id, 0),
                    reversed_amount=outcome.reversed_on.get(invoice.id, 0),
                    overpaid=invoice.id in excess,
                    in_payment=invoice.id in pending,
                    in_review=invoice.id in reviewed,
                ),
                now=now,
            )
    _tell_unapplied(session, client_id, outcome)
    return outcome


def _fact(row: MoneyFact) -> Fact:
    return Fact(
        id=row.id,
        provider=row.provider,
        provider_id=row.provider_id,
        kind=row.kind,
        amount=row.amount,
        currency=row.currency,
        occurred_at=row.occurred_at,
        targets=tuple(Target(int(item["invoice_id"]), int(item["amount"])) for item in row.targets),
        reverses=row.reverses,
    )


def _write_allocations(session: Session, invoice_ids: list[int], outcome: Outcome) -> None:
    present = {
        (row.fact_id, row.invoice_id): row.amount
        for row in session.scalars(select(Allocation).where(Allocation.invoice_id.in_(invoice_ids)))
    }
    for key, amount in outcome.allocations.items():
        if present.get(key) != amount:
            session.execute(
                insert(Allocation)
                .values(fact_id=key[0], invoice_id=key[1], amount=amount)
                .on_conflict_do_update(index_elements=["fact_id", "invoice_id"], set_={"amount": amount})
            )
    for fact_id, invoice_id in present.keys() - outcome.allocations.keys():
        session.execute(delete(Allocation).where(Allocation.fact_id == fact_id, Allocation.invoice_id == invoice_id))


def _write_invoice(invoice: Invoice, *, paid: int, state: str, now: datetime) -> None:
    settled = paid >= invoice.amount_due
    status = "paid" if settled else "open"
    if (invoice.amount_paid, invoice.money_state, invoice.status) == (paid, state, status):
        return
    invoice.amount_paid = paid
    invoice.amount_remaining = invoice.amount_due - paid
    invoice.money_state = state
    if invoice.status != status:
        invoice.status = status
        invoice.closed_at = now if settled else None
    invoice.version += 1
    invoice.next_at = now


def _invoices_in_payment(session: Session, client_id: int) -> set[int]:
    """Invoices named by a session that was completed, but whose money has neither come nor failed."""
    query = select(CheckoutSession.lines).where(
        CheckoutSession.client_id == client_id,
        CheckoutSession.completed_unpaid_at.is_not(None),
        CheckoutSession.succeeded_at.is_(None),
        CheckoutSession.failed_at.is_(None),
    )
    return {int(line["invoice_id"]) for lines in session.scalars(query) for line in lines}


def _invoices_in_review(session: Session, client_id: int) -> set[int]:
    query = (
        select(Review.invoice_id)
        .join(Invoice, Invoice.id == Review.invoice_id)
        .where(Invoice.client_id == client_id, Review.resolved_at.is_(None))
    )
    return set(session.scalars(query))


def _overpaid_invoices(facts: list[Fact], outcome: Outcome) -> set[int]:
    """Invoices that a payment with money left over was meant for."""
    return {
        target.invoice_id
        for fact in facts
        if fact.kind in INCOMING and outcome.unapplied.get(fact.id)
        for target in fact.targets
    }


def _tell_unapplied(session: Session, client_id: int, outcome: Outcome) -> None:
    """Unapplied credit is a task for a person; it ends by itself when the credit is gone."""
    key = f"payment.unapplied_credit:{client_id}"
    details: dict[str, Any] = {"client_id": client_id, "facts": {str(k): v for k, v in outcome.unapplied.items()}}
    if not outcome.unapplied:
        ledger.resolve_notice(session, key, actor="books")
        return
    ledger.notice(session, "payment.unapplied_credit", key, details)


def has_facts(session: Session, client_id: int) -> bool:
    """True when any money was ever recorded for the client."""
    return bool(session.scalar(select(exists().where(MoneyFact.client_id == client_id))))
