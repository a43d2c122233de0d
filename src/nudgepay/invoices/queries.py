"""Reads of the books, and the locks that every writer takes in the same order: client, then invoices."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay.errors import NotFound
from nudgepay.invoices.models import Client, Contact, Invoice

LARGEST_ID = 2**63 - 1


def lock_client(session: Session, client_id: int) -> Client:
    """The client's row, locked until the transaction ends; raises NotFound."""
    found = session.scalar(select(Client).where(Client.id == client_id).with_for_update())
    if found is None:
        raise NotFound(f"there is no client {client_id}")
    return found


def lock_invoices(session: Session, ids: Collection[int]) -> list[Invoice]:
    """The invoices with these ids, re-read and locked in ascending order of id."""
    query = (
        select(Invoice)
        .where(Invoice.id.in_(ids))
        .order_by(Invoice.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(query))


def invoice_by_id(session: Session, invoice_id: int) -> Invoice:
    """The invoice with this id, however large a number; raises NotFound."""
    found = session.get(Invoice, invoice_id) if 0 < invoice_id <= LARGEST_ID else None
    if found is None:
        raise NotFound(f"there is no invoice {invoice_id}")
    return found


def invoice_by_number(session: Session, number: str) -> Invoice:
    """The invoice with this number; raises NotFound."""
    found = session.scalar(select(Invoice).where(Invoice.number == number))
    if found is None:
        raise NotFound(f"there is no invoice {number!r}; see: nudgepay invoices list")
    return found


def invoice_by_token(session: Session, token: str) -> Invoice | None:
    """The invoice behind a mailed token, or None."""
    return session.scalar(select(Invoice).where(Invoice.token == token))


def contact_by_token(session: Session, token: str) -> Contact | None:
    """The contact behind a mailed token, or None."""
    return session.scalar(select(Contact).where(Contact.token == token))


def client_by_name(session: Session, name: str) -> Client:
    """The client with this external id, name or id; raises NotFound."""
    query = select(Client).where((Client.external_id == name) | (Client.name == name)).order_by(Client.id)
    found = session.scalars(query).first()
    if found is None and name.isdecimal() and len(name) <= len(str(LARGEST_ID)) and int(name) <= LARGEST_ID:
        found = session.get(Client, int(name))
    if found is None:
        raise NotFound(f"there is no client {name!r}; see: nudgepay clients list")
    return found


def invoices_of_page(session: Session, ids: Collection[int]) -> list[Invoice]:
    """The invoices of a pay page, oldest first, unlocked."""
    return list(session.scalars(select(Invoice).where(Invoice.id.in_(ids)).order_by(Invoice.due_on, Invoice.id)))


def has_invoices(session: Session) -> bool:
    """True once the books hold an invoice."""
    return session.scalar(select(Invoice.id).limit(1)) is not None
