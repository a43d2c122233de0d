"""What another program says is paid or void falls silent here too; other rows that are no claim are only counted."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay.invoices.actions import close_invoice
from nudgepay.invoices.importing.passing import CLOSING, PAID
from nudgepay.invoices.importing.rows import PassedRow
from nudgepay.invoices.models import Client, Invoice
from nudgepay.invoices.queries import lock_client, lock_invoices
from nudgepay.payments.actions import record_payment

CHUNK = 1_000


def settle_passed(
    session: Session, passed: Sequence[PassedRow], *, now: datetime, actor: str
) -> tuple[int, dict[str, int]]:
    """Book or close the open invoices that the file calls paid or void; returns how many, and the rest by reason.

    Several lines of one invoice count once. Only an invoice of the same client and currency is touched.
    """
    rows = {(row.invoice_number or str(row.line), row.reason): row for row in reversed(passed)}
    mine = _open_invoices(session, [row.invoice_number for row in rows.values() if _may_settle(row)])
    updated = 0
    over: dict[str, int] = {}
    for row in reversed(rows.values()):
        invoice = mine.get(row.invoice_number) if _may_settle(row) else None
        if invoice is not None and _is_same(row, invoice):
            updated += _settle(session, row, invoice, now=now, actor=actor)
        else:
            over[row.reason] = over.get(row.reason, 0) + 1
    return updated, over


def _may_settle(row: PassedRow) -> bool:
    return bool(row.invoice_number) and (row.reason == PAID or row.reason in CLOSING)


def _open_invoices(session: Session, numbers: list[str]) -> dict[str, Invoice]:
    found: dict[str, Invoice] = {}
    for chunk in _chunks(numbers):
        query = select(Invoice).join(Client).where(Invoice.number.in_(chunk), Invoice.status == "open")
        found.update({invoice.number: invoice for invoice in session.scalars(query)})
    return found


def _chunks(values: list[str]) -> Iterable[list[str]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def _is_same(row: PassedRow, invoice: Invoice) -> bool:
    client = invoice.client
    is_theirs = row.client_name.casefold() == client.name.casefold() or (
        bool(row.client_external_id) and row.client_external_id == client.external_id
    )
    return is_theirs and row.currency.upper() in {"", invoice.currency}


def _settle(session: Session, row: PassedRow, invoice: Invoice, *, now: datetime, actor: str) -> int:
    """1 when the invoice was still open under the client's lock."""
    lock_client(session, invoice.client_id)
    (locked,) = lock_invoices(session, [invoice.id])
    if locked.status != "open":
        return 0
    if row.reason in CLOSING:
        close_invoice(session, locked, status=row.reason, now=now, actor=actor)
        return 1
    record_payment(
        session,
        client_id=locked.client_id,
        amount=locked.amount_remaining,
        currency=locked.currency,
        provider="import",
        provider_id=f"{locked.number}:{PAID}:{now.isoformat()}",
        kind="payment",
        occurred_at=now,
        targets=[{"invoice_id": locked.id, "amount": locked.amount_remaining}],
        actor=actor,
        now=now,
    )
    return 1
