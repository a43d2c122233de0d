"""From rows to facts and back: rewrite a client's allocations and its invoices' money, by difference only."""

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay import ledger
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import lock_client, lock_invoices
from nudgepay.ledger import Notice
from nudgepay.payments.facts import INCOMING, REVERSING, Claim, Fact, Outcome, Target, allocate, money_state
from nudgepay.payments.models import Allocation, CheckoutSession, MoneyFact, StripeInvoice
from nudgepay.payments.reviews import BOOKS, Reopened, follow_reversals, invoices_in_review

PAYABLE = frozenset({"open", "paid", "uncollectible"})
"""Money may lie on these; what was meant for a void or draft invoice is the client's credit."""
MOVING = frozenset({"open", "paid"})
"""Between these two the books decide; a person's word (void, uncollectible) stands."""


def reallocate(session: Session, client_id: int, *, now: datetime) -> Outcome:
    """Make a client's allocations, invoices, reviews and credit what its facts say, under the client's lock.

    The only writer of `amount_paid`, `amount_remaining`, `money_state` and of `status` between open and paid.
    An invoice that does not change keeps its version. Only invoices that money or doubt has touched are locked.
    """
    lock_client(session, client_id)
    facts = _live_facts(session, client_id)
    pending = _invoices_in_payment(session, client_id)
    named = {target.invoice_id for fact in facts for target in fact.targets} | pending
    named |= invoices_in_review(session, client_id)
    invoices = lock_invoices(session, _touched(session, client_id, named))
    claims = {i.id: Claim(i.id, i.currency, i.amount_due) for i in invoices if i.status in PAYABLE}
    outcome = allocate(facts, claims)
    _write_allocations(session, client_id, outcome)
    moving = {invoice.id for invoice in invoices if invoice.status in MOVING}
    follow_reversals(session, client_id, list(_reopened(facts, claims, outcome, moving)), now=now)
    reviewed = invoices_in_review(session, client_id)
    excess = _overpaid_invoices(facts, outcome)
    for invoice in invoices:
        paid = outcome.paid.get(invoice.id, 0)
        state = money_state(
            amount_due=invoice.amount_due,
            paid=paid,
            reversed_amount=outcome.reversed_on.get(invoice.id, 0),
            overpaid=invoice.id in excess,
            in_payment=invoice.id in pending,
            in_review=invoice.id in reviewed,
        )
        _write_invoice(invoice, paid=paid, state=state, now=now)
    _tell_unapplied(session, client_id, outcome)
    return outcome


def clients_with_money(session: Session, client_ids: Collection[int]) -> set[int]:
    """Those of these clients of whom the books hold money facts, whatever became of these."""
    query = select(MoneyFact.client_id).where(MoneyFact.client_id.in_(client_ids)).distinct()
    return set(session.scalars(query))


def _live_facts(session: Session, client_id: int) -> list[Fact]:
    query = select(MoneyFact).where(
        MoneyFact.client_id == client_id, MoneyFact.voided_at.is_(None), MoneyFact.problem.is_(None)
    )
    return [_fact(row) for row in session.scalars(query.execution_options(populate_existing=True))]


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


def _touched(session: Session, client_id: int, named: Collection[int]) -> list[int]:
    """Ids of the client's invoices whose money may change: named by a fact, or not as they were issued.

    An invoice of another client that a fact names is none of them, whatever the fact says.
    """
    changed = or_(Invoice.money_state != "unpaid", Invoice.amount_paid != 0, Invoice.status == "paid")
    query = select(Invoice.id).where(Invoice.client_id == client_id, or_(Invoice.id.in_(named), changed))
    return list(session.scalars(query))


def _write_allocations(session: Session, client_id: int, outcome: Outcome) -> None:
    ours = select(Allocation).join(MoneyFact, MoneyFact.id == Allocation.fact_id)
    query = ours.where(MoneyFact.client_id == client_id).execution_options(populate_existing=True)
    present = {(row.fact_id, row.invoice_id): row.amount for row in session.scalars(query)}
    for key, amount in outcome.allocations.items():
        if present.get(key) != amount:
            session.execute(
                insert(Allocation)
                .values(fact_id=key[0], invoice_id=key[1], amount=amount)
                .on_conflict_do_update(index_elements=["fact_id", "invoice_id"], set_={"amount": amount})
            )
    for fact_id, invoice_id in present.keys() - outcome.allocations.keys():
        session.execute(delete(Allocation).where(Allocation.fact_id == fact_id, Allocation.invoice_id == invoice_id))


def _reopened(facts: list[Fact], claims: dict[int, Claim], outcome: Outcome, moving: set[int]) -> Iterator[Reopened]:
    """Where a refund or chargeback left something to claim: the chase must not go on by itself."""
    reversing = {fact.id: fact for fact in facts if fact.kind in REVERSING}
    for (fact_id, invoice_id), amount in outcome.allocations.items():
        fact = reversing.get(fact_id)
        is_short = outcome.paid.get(invoice_id, 0) < claims[invoice_id].amount_due
        if fact is not None and is_short and invoice_id in moving:
            yield Reopened(fact.kind, f"{fact.kind}:{fact.provider}:{fact.provider_id}", invoice_id, amount)


def _write_invoice(invoice: Invoice, *, paid: int, state: str, now: datetime) -> None:
    settled = paid >= invoice.amount_due
    status = ("paid" if settled else "open") if invoice.status in MOVING else invoice.status
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
    """Invoices named by a session that was completed, but whose money has neither come nor failed; and those of
    Stripe that are being debited there, or were told as paid and not read yet."""
    query = select(CheckoutSession.lines).where(
        CheckoutSession.client_id == client_id,
        CheckoutSession.completed_unpaid_at.is_not(None),
        CheckoutSession.succeeded_at.is_(None),
        CheckoutSession.failed_at.is_(None),
    )
    debited = (
        select(StripeInvoice.invoice_id)
        .join(Invoice, Invoice.id == StripeInvoice.invoice_id)
        .where(Invoice.client_id == client_id, StripeInvoice.money_pending_at.is_not(None))
    )
    named = {int(line["invoice_id"]) for lines in session.scalars(query) for line in lines}
    return named | set(session.scalars(debited))


def _overpaid_invoices(facts: list[Fact], outcome: Outcome) -> set[int]:
    """Invoices that a payment with money left over was meant for."""
    return {
        target.invoice_id
        for fact in facts
        if fact.kind in INCOMING and outcome.unapplied.get(fact.id)
        for target in fact.targets
    }


def _tell_unapplied(session: Session, client_id: int, outcome: Outcome) -> None:
    """Credit that is left over is a task for a person, one for each payment; it ends when the credit is gone."""
    for fact_id, amount in outcome.unapplied.items():
        details = {"client_id": client_id, "facts": {str(fact_id): amount}}
        ledger.notice(session, "payment.unapplied_credit", _credit_key(fact_id), details)
    query = select(Notice.dedup_key).where(
        Notice.kind == "payment.unapplied_credit",
        Notice.resolved_at.is_(None),
        Notice.details["client_id"].as_integer() == client_id,
    )
    told = {_credit_key(fact_id) for fact_id in outcome.unapplied}
    for key in session.scalars(query).all():
        if key not in told:
            ledger.resolve_notice(session, key, actor=BOOKS)


def _credit_key(fact_id: int) -> str:
    return f"payment.unapplied_credit:{fact_id}"
