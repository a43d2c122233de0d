"""Clients, people and invoices for the pages' tests, and files to import."""

from datetime import timedelta

from nudgepay import clock
from nudgepay.invoices.actions import create_client, create_invoice
from nudgepay.invoices.models import Client, Contact, Invoice
from nudgepay.runtime import Runtime

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def add_client(runtime: Runtime, name: str, *, email: str = "", external_id: str | None = None) -> int:
    """A client in Berlin with one billing contact."""
    with runtime.db.transaction() as session:
        return create_client(
            session,
            name=name,
            email=email or "klara@lindner.example",
            locale="de",
            timezone="Europe/Berlin",
            country="DE",
            external_id=external_id,
            actor="test",
        ).id


def add_invoice(
    runtime: Runtime, client_id: int, number: str, *, late: int = 3, amnesty: bool = False, **more: object
) -> int:
    """An open invoice over 100.00 EUR (unless `more` says otherwise), `late` days overdue."""
    now = clock.now()
    given = {"currency": "EUR", "amount_due": 10_000, **more}
    with runtime.db.transaction() as session:
        return create_invoice(
            session,
            client_id=client_id,
            number=number,
            issued_on=now.date() - timedelta(days=late + 30),
            due_on=now.date() - timedelta(days=late),
            now=now,
            actor="test",
            amnesty=amnesty,
            **given,  # type: ignore[arg-type]
        ).id


def client_of(runtime: Runtime, client_id: int) -> Client:
    with runtime.db.transaction() as session:
        return session.get_one(Client, client_id)


def contact_of(runtime: Runtime, client_id: int) -> Contact:
    with runtime.db.transaction() as session:
        return session.query(Contact).filter_by(client_id=client_id).order_by(Contact.id).first()  # type: ignore[return-value]


def invoices_of(runtime: Runtime) -> list[Invoice]:
    with runtime.db.transaction() as session:
        return session.query(Invoice).order_by(Invoice.id).all()


def csv_file(*rows: str, header: str = "client_name,client_email,invoice_number,due_on,currency,amount") -> bytes:
    return "\r\n".join((header, *rows, "")).encode()
