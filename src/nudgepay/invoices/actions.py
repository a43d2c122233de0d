"""Every change of the books: one row and its audit entry in one transaction, the actor named."""

from collections.abc import Collection, Mapping
from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.errors import Conflict
from nudgepay.invoices.models import Client, Contact, Invoice
from nudgepay.invoices.validation import (
    MAX_NUMBER,
    FieldError,
    clean_country,
    clean_email,
    clean_line,
    clean_locale,
    clean_timezone,
)
from nudgepay.money import MAX_MINOR_UNITS, ensure_currency

CHUNK = 1_000


class InvoiceExists(Conflict):
    """Another invoice has this number or external id."""


class InvoiceClosed(Conflict):
    """The invoice is no longer open."""


class InvoiceNotClosed(Conflict):
    """Nobody voided it or wrote it off."""


class VersionConflict(Conflict):
    """Somebody changed the invoice after it was read."""


def wake(
    session: Session, *, now: datetime, invoice_ids: Collection[int] | None = None, client_id: int | None = None
) -> None:
    """Ask the engine to look again, at once, at these open invoices (or at all of a client)."""
    query = update(Invoice).where(Invoice.status == "open").values(next_at=now)
    if invoice_ids is not None:
        query = query.where(Invoice.id.in_(invoice_ids))
    if client_id is not None:
        query = query.where(Invoice.client_id == client_id)
    session.execute(query.execution_options(synchronize_session="fetch"))


def create_client(
    session: Session,
    *,
    name: str,
    email: str,
    locale: str,
    timezone: str,
    country: str,
    actor: str,
    contact_name: str | None = None,
    external_id: str | None = None,
) -> Client:
    """A client with its billing contact; raises FieldError for a bad field, Conflict for a known external id."""
    client = Client(
        name=clean_line(name, "name"),
        locale=clean_locale(locale),
        timezone=clean_timezone(timezone),
        country=clean_country(country),
        external_id=external_id,
    )
    if external_id and session.scalar(select(Client.id).where(Client.external_id == external_id)):
        raise Conflict(f"a client with the external id {external_id!r} exists")
    session.add(client)
    session.flush()
    add_contact(session, client_id=client.id, name=contact_name or name, email=email, role="billing", actor=actor)
    audit.record(session, actor=actor, action="client.create", subject=f"clients:{client.id}")
    return client


def add_contact(
    session: Session,
    *,
    client_id: int,
    name: str,
    email: str,
    role: str,
    actor: str,
    locale: str | None = None,
    timezone: str | None = None,
) -> Contact:
    """A person at a client; roles `billing`, `approver`, `copy`. One that was removed comes back.

    Raises FieldError, and Conflict for an address that the client has already.
    """
    if role not in {"billing", "approver", "copy"}:
        raise FieldError("role", "unknown_role", "must be billing, approver or copy")
    address = clean_email(email)
    known = session.scalar(select(Contact).where(Contact.client_id == client_id, Contact.email == address))
    if known is not None and known.removed_at is None:
        raise Conflict(f"client {client_id} already has a contact with this address")
    contact = known or Contact(client_id=client_id, email=address)
    contact.name, contact.role, contact.removed_at = clean_line(name, "contact_name"), role, None
    contact.locale = clean_locale(locale) if locale else None
    contact.timezone = clean_timezone(timezone) if timezone else None
    contact.version = 1 if known is None else known.version + 1
    session.add(contact)
    session.flush()
    action = "contact.create" if known is None else "contact.restore"
    audit.record(session, actor=actor, action=action, subject=f"contacts:{contact.id}")
    return contact


def create_invoice(
    session: Session,
    *,
    client_id: int,
    number: str,
    currency: str,
    amount_due: int,
    issued_on: date,
    due_on: date,
    now: datetime,
    actor: str,
    external_id: str | None = None,
    description: str | None = None,
    amnesty: bool = False,
    draft: bool = False,
    schedule_name: str | None = None,
) -> Invoice:
    """An open invoice over `amount_due` minor units; the engine looks at it in its next pass, at a `draft` never.

    Raises FieldError for a bad field and InvoiceExists for a number that is taken.
    """
    number = clean_line(number, "invoice_number", longest=MAX_NUMBER)
    if not 0 < amount_due <= MAX_MINOR_UNITS:
        raise FieldError("amount", "out_of_range", "must be positive and below the product's limit")
    if session.scalar(select(Invoice.id).where(Invoice.number == number)):
        raise InvoiceExists(f"invoice_number: {number!r} exists already")
    invoice = Invoice(
        client_id=client_id,
        number=number,
        currency=ensure_currency(currency),
        amount_due=amount_due,
        amount_remaining=amount_due,
        issued_on=issued_on,
        due_on=due_on,
        external_id=external_id,
        description=clean_line(description, "description", longest=500) if description else None,
        amnesty_at=now if amnesty else None,
        status="draft" if draft else "open",
        next_at=None if draft else now,
        schedule_name=schedule_name,
    )
    session.add(invoice)
    session.flush()
    audit.record(
        session,
        actor=actor,
        action="invoice.create",
        subject=f"invoices:{invoice.id}",
        after={"number": number, "currency": invoice.currency, "amount_due": amount_due, "status": invoice.status},
    )
    return invoice


def close_invoice(session: Session, invoice: Invoice, *, status: str, now: datetime, actor: str) -> None:
    """Void it or write it off (`void`, `uncollectible`); raises InvoiceClosed unless it is open.

    A draft can be voided, too. It never was a claim, so `closed_at` stays empty: no month counts it.
    """
    before = invoice.status
    if before != "open" and (before, status) != ("draft", "void"):
        raise InvoiceClosed(f"invoice {invoice.number} is {before}, not open")
    invoice.status = status
    invoice.closed_at = None if before == "draft" else now
    _changed(session, invoice, actor=actor, action=f"invoice.{status}", before={"status": before}, now=now)


def was_draft(invoice: Invoice) -> bool:
    """True for a void invoice that was voided while it was a draft."""
    return invoice.status == "void" and invoice.closed_at is None


def reopen_invoice(session: Session, invoice: Invoice, *, now: datetime, actor: str) -> None:
    """Take a void or write-off back, a draft as a draft; what money says of it is up to `payments`.

    Raises InvoiceNotClosed.
    """
    if invoice.status not in {"void", "uncollectible"}:
        raise InvoiceNotClosed(
            f"invoice {invoice.number} is {invoice.status}: only a void or write-off is taken back"
        )
    before = {"status": invoice.status}
    invoice.status, invoice.closed_at = "draft" if was_draft(invoice) else "open", None
    _changed(session, invoice, actor=actor, action="invoice.reopen", before=before, now=now)


def pause_invoice(session: Session, invoice: Invoice, *, until: date | None, now: datetime, actor: str) -> None:
    """Silence through `until` (a day of the client; None: until unpaused)."""
    before = {"paused_until": str(invoice.paused_until)}
    invoice.paused_until = until or date.max
    told = {"paused_until": str(invoice.paused_until)}
    _changed(session, invoice, actor=actor, action="invoice.pause", before=before, after=told, now=now)


def unpause_invoice(session: Session, invoice: Invoice, *, now: datetime, actor: str) -> None:
    """End a pause at once."""
    before = {"paused_until": str(invoice.paused_until)}
    invoice.paused_until = None
    _changed(session, invoice, actor=actor, action="invoice.unpause", before=before, now=now)


def switch_reminders(session: Session, invoice: Invoice, *, on: bool, now: datetime, actor: str) -> None:
    """Turn the chase of one invoice on or off."""
    before = {"reminders": "off" if invoice.reminders_off_at else "on"}
    invoice.reminders_off_at = None if on else now
    told = {"reminders": "on" if on else "off"}
    _changed(session, invoice, actor=actor, action="invoice.reminders", before=before, after=told, now=now)


def switch_client_reminders(session: Session, client: Client, *, on: bool, now: datetime, actor: str) -> None:
    """Turn the chase of all of a client's invoices on or off."""
    before = {"reminders": "off" if client.reminders_off_at else "on"}
    client.reminders_off_at = None if on else now
    audit.record(
        session,
        actor=actor,
        action="client.reminders",
        subject=f"clients:{client.id}",
        before=before,
        after={"reminders": "on" if on else "off"},
    )
    wake(session, now=now, client_id=client.id)


def release_amnesty(session: Session, invoice_ids: Collection[int], *, now: datetime, actor: str) -> int:
    """Let imported overdue invoices be chased; returns how many were waiting. Locks them in ascending order."""
    released = 0
    ids = sorted(invoice_ids)
    for start in range(0, len(ids), CHUNK):
        released += _release(session, ids[start : start + CHUNK], now=now, actor=actor)
    return released


def _release(session: Session, ids: list[int], *, now: datetime, actor: str) -> int:
    waiting = select(Invoice.id).where(Invoice.id.in_(ids), Invoice.amnesty_at.is_not(None))
    locked = list(session.scalars(waiting.order_by(Invoice.id).with_for_update()))
    change = (
        update(Invoice)
        .where(Invoice.id.in_(locked))
        .values(amnesty_at=None, version=Invoice.version + 1, next_at=now)
        .returning(Invoice.id, Invoice.status, Invoice.version)
        .execution_options(synchronize_session="fetch")
    )
    for row in session.execute(change).all():
        audit.record(
            session,
            actor=actor,
            action="invoice.release",
            subject=f"invoices:{row.id}",
            before={"amnesty": True},
            after={"status": row.status, "version": row.version},
        )
    return len(locked)


def ensure_version(invoice: Invoice, expected: int) -> None:
    """Raise VersionConflict when the invoice is not at the version the editor saw."""
    if invoice.version != expected:
        raise VersionConflict(f"invoice {invoice.number} was changed meanwhile; look at it again")


def _changed(
    session: Session,
    invoice: Invoice,
    *,
    actor: str,
    action: str,
    before: Mapping[str, object],
    now: datetime,
    after: Mapping[str, object] | None = None,
) -> None:
    invoice.version += 1
    invoice.next_at = None if invoice.status == "draft" else now
    told = {"status": invoice.status, "version": invoice.version, **(after or {})}
    subject = f"invoices:{invoice.id}"
    audit.record(session, actor=actor, action=action, subject=subject, before=dict(before), after=told)
