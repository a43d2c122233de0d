"""What every answer of a payer begins with: the client's lock, then the invoice's, and the invoice still open."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay.errors import Conflict, NotFound
from nudgepay.invoices.models import Client, Invoice
from nudgepay.invoices.queries import lock_client, lock_invoices


class NothingOpen(Conflict):
    """The invoice is settled, void or written off: there is nothing left to answer."""


def lock_open_invoice(session: Session, invoice_id: int) -> tuple[Client, Invoice]:
    """The client and its open invoice, both locked in that order; raises NotFound and NothingOpen."""
    client, invoice = lock_invoice(session, invoice_id)
    if invoice.status != "open":
        raise NothingOpen(f"invoice {invoice.number} is {invoice.status}: nothing is left to answer")
    return client, invoice


def lock_invoice(session: Session, invoice_id: int) -> tuple[Client, Invoice]:
    """The client and its invoice in any state, both locked in that order; raises NotFound."""
    client_id = session.scalar(select(Invoice.client_id).where(Invoice.id == invoice_id))
    if client_id is None:
        raise NotFound(f"there is no invoice {invoice_id}")
    client = lock_client(session, client_id)
    return client, lock_invoices(session, [invoice_id])[0]


def lock_clients(session: Session, client_ids: Collection[int]) -> None:
    """Lock several clients, always in ascending order."""
    for client_id in sorted(set(client_ids)):
        lock_client(session, client_id)
