"""Bank transfers and other money that a person records: the same fact as any other, only told by hand."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay.errors import UsageError
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import invoice_by_number, lock_client
from nudgepay.money import format_money, parse_major
from nudgepay.payments.actions import record_payment, retarget
from nudgepay.payments.models import Allocation, MoneyFact

HandKind = Literal["manual", "credit"]


class DayInFuture(UsageError):
    """Money is recorded when it has come."""


@dataclass(frozen=True, slots=True)
class Booked:
    """A transfer on the books."""

    fact_id: int

    def lines(self, session: Session) -> list[str]:
        """What it did, a sentence for each invoice, and what is left over."""
        fact = session.get_one(MoneyFact, self.fact_id)
        query = (
            select(Allocation.amount, Invoice)
            .join(Invoice, Invoice.id == Allocation.invoice_id)
            .where(Allocation.fact_id == self.fact_id)
            .order_by(Invoice.due_on, Invoice.id)
        )
        left = fact.amount
        found = []
        for amount, invoice in session.execute(query):
            left -= amount
            part = format_money(amount, fact.currency, "en")
            rest = format_money(invoice.amount_remaining, fact.currency, "en")
            found.append(f"{part} for {invoice.number}, now {invoice.money_state}, {rest} open")
        if left:
            found.append(f"{format_money(left, fact.currency, 'en')} is left over as credit: payments allocate")
        return found


def record_transfer(
    session: Session,
    *,
    numbers: Sequence[str],
    amount: str,
    occurred_at: datetime,
    now: datetime,
    actor: str,
    reference: str | None = None,
) -> Booked:
    """Book `amount` (major units) for these invoices of one client, in their order.

    With a `reference` the same transfer is booked once, however often it is told. Raises NotFound and UsageError.
    """
    if not numbers:
        raise UsageError("name at least one invoice")
    invoices = [invoice_by_number(session, number) for number in numbers]
    minor = parse_major(amount, invoices[0].currency)
    return record_by_hand(
        session, invoices, minor, reference=reference, occurred_at=occurred_at, now=now, actor=actor
    )


def record_by_hand(
    session: Session,
    invoices: Sequence[Invoice],
    amount: int,
    *,
    occurred_at: datetime,
    now: datetime,
    actor: str,
    reference: str | None = None,
    note: str | None = None,
    kind: HandKind = "manual",
) -> Booked:
    """Book `amount` minor units for these invoices of one client, in their order; `credit` is money nobody paid.

    What is more than they ask for becomes the client's credit. With a `reference` it is booked once, however often it
    is told. Raises UsageError, and FactDiffers when the reference was told with another amount.
    """
    if occurred_at - now > timedelta(days=1):
        raise DayInFuture("the day lies in the future: record money when it has come")
    if len({(invoice.client_id, invoice.currency) for invoice in invoices}) != 1:
        raise UsageError("one payment is for invoices of one client in one currency")
    first = invoices[0]
    lock_client(session, first.client_id)
    fact = record_payment(
        session,
        client_id=first.client_id,
        amount=amount,
        currency=first.currency,
        provider="bank",
        provider_id=reference or f"hand:{uuid.uuid4()}",
        kind=kind,
        occurred_at=occurred_at,
        targets=[{"invoice_id": invoice.id, "amount": amount} for invoice in invoices],
        actor=actor,
        note=note,
        now=now,
    )
    return Booked(fact.id)


def allocate_by_hand(session: Session, fact_id: int, parts: Sequence[str], *, now: datetime, actor: str) -> None:
    """Point a payment at invoices given as NUMBER=AMOUNT (major units), in order; raises UsageError."""
    targets = []
    for part in parts:
        number, sign, amount = part.rpartition("=")
        if not sign:
            raise UsageError(f"{part!r}: write NUMBER=AMOUNT")
        invoice = invoice_by_number(session, number)
        targets.append({"invoice_id": invoice.id, "amount": parse_major(amount, invoice.currency)})
    retarget(session, fact_id, targets, now=now, actor=actor)
