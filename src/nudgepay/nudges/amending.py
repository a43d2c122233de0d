"""Editing an invoice with everything that hangs on it: what was sent, what was paid, the letters to come."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from nudgepay.errors import NotFound
from nudgepay.invoices.actions import ensure_version
from nudgepay.invoices.editing import InvoiceFields, edit_invoice, open_draft
from nudgepay.invoices.models import Client, Invoice
from nudgepay.invoices.queries import lock_client, lock_invoices
from nudgepay.nudges.changes import Change, LettersChanged, changes_of_client, foresee_changes
from nudgepay.nudges.facts import LEFT_STATES, InvoiceFacts
from nudgepay.nudges.preview import Span
from nudgepay.nudges.queries import load_clients
from nudgepay.nudges.schedules import DEFAULT, current_schedules
from nudgepay.payments.books import reallocate

_TOUCHED = """
SELECT EXISTS (SELECT FROM reminders
                WHERE invoice_id = :id AND client_id = :client AND state = ANY(:left)) AS is_sent,
       EXISTS (SELECT FROM allocations WHERE invoice_id = :id)
       OR EXISTS (SELECT FROM checkout_sessions WHERE page = :page) AS is_paid,
       EXISTS (SELECT FROM stripe_invoices WHERE invoice_id = :id) AS is_from_stripe
"""


_MOVE = """
UPDATE reminders SET client_id = :new, updated_at = now() WHERE invoice_id = :id AND client_id = :old
"""


def fixed_fields(session: Session, invoice: Invoice) -> dict[str, str]:
    """What may not be changed any more, and why: `sent`, `paid`, `in_payment`, `from_stripe`."""
    query = {
        "id": invoice.id,
        "client": invoice.client_id,
        "page": f"invoice:{invoice.id}",
        "left": sorted(LEFT_STATES),
    }
    found = session.execute(text(_TOUCHED), query).one()
    fixed: dict[str, str] = {}
    if invoice.money_state == "in_payment":
        fixed |= dict.fromkeys(("amount_due",), "in_payment")
    if found.is_sent:
        fixed |= dict.fromkeys(("client_id", "currency", "number"), "sent")
    if found.is_paid or invoice.money_state != "unpaid":
        fixed |= dict.fromkeys(("client_id", "currency"), "paid")
    if found.is_from_stripe:
        fixed |= dict.fromkeys(("client_id", "currency", "number", "amount_due", "external_id"), "from_stripe")
    return fixed


def amend_invoice(
    session: Session, invoice_id: int, wanted: InvoiceFields, *, version: int, now: datetime, actor: str
) -> frozenset[str]:
    """Edit the invoice as it was seen; returns the names of the fields that changed.

    Raises VersionConflict when it is not as it was seen any more, and what `edit_invoice` and `lock_client` raise.
    """
    invoice = _locked(session, invoice_id, wanted.client_id)
    ensure_version(invoice, version)
    owner = invoice.client_id
    fixed = fixed_fields(session, invoice)
    changed = edit_invoice(session, invoice, wanted, fixed=fixed, now=now, actor=actor)
    session.flush()
    if "client_id" in changed:
        query = text(
            "UPDATE reminders SET client_id = :new, updated_at = now() WHERE invoice_id = :id AND client_id = :old"
        )
        session.execute(query, {"new": invoice.client_id, "old": owner, "id": invoice.id})
    if changed & {"amount_due", "client_id"} and invoice.status == "open":
        for client_id in sorted({owner, invoice.client_id}):
            reallocate(session, client_id, now=now)
    return changed


def open_invoice(session: Session, invoice_id: int, *, version: int, now: datetime, actor: str) -> Invoice:
    """A draft, as it was seen, becomes a claim. Raises VersionConflict and InvoiceClosed."""
    invoice = _locked(session, invoice_id)
    ensure_version(invoice, version)
    open_draft(session, invoice, now=now, actor=actor)
    session.flush()
    reallocate(session, invoice.client_id, now=now)
    return invoice


def foresee_edit(
    session: Session, invoice: Invoice, wanted: InvoiceFields, *, span: Span
) -> dict[int, LettersChanged] | None:
    """What an edit would do to the letters of the invoice's client; nothing for a draft. As `foresee_changes`."""
    if invoice.status != "open" or wanted.client_id != invoice.client_id:
        return {}
    change = _as_wanted(session, wanted)
    return foresee_changes(session, [invoice.client_id], {invoice.id: change}, span=span)


def foresee_new(session: Session, wanted: InvoiceFields, *, span: Span) -> LettersChanged | None:
    """The letters of an invoice that would be opened now, as new ones; None when none goes."""
    clients = load_clients(session, [wanted.client_id], now=span.start)
    if wanted.client_id not in clients:
        return None
    client = clients[wanted.client_id]
    new = _as_wanted(session, wanted)(_blank(wanted, session))
    as_draft = replace(new, status="draft")
    with_draft = replace(client, invoices=(as_draft,))
    found = changes_of_client(with_draft, {new.id: lambda _: new}, span=span)
    return found.get(new.id)


def _as_wanted(session: Session, wanted: InvoiceFields) -> Change:
    schedules = current_schedules(session)
    client_schedule = session.scalar(select(Client.schedule_name).where(Client.id == wanted.client_id))
    name = wanted.schedule_name or client_schedule or DEFAULT
    said: dict[str, Any] = {
        "number": wanted.number,
        "currency": wanted.currency,
        "amount_due": wanted.amount_due,
        "issued_on": wanted.issued_on,
        "due_on": wanted.due_on,
        "schedule": schedules.get(name) or schedules[DEFAULT],
        "follows": name,
    }
    return lambda invoice: replace(invoice, **said)


def _blank(wanted: InvoiceFields, session: Session) -> InvoiceFacts:
    return InvoiceFacts(
        id=0,
        number=wanted.number,
        currency=wanted.currency,
        amount_due=wanted.amount_due,
        amount_paid=0,
        status="open",
        money_state="unpaid",
        issued_on=wanted.issued_on,
        due_on=wanted.due_on,
        schedule=current_schedules(session)[DEFAULT],
    )


def _locked(session: Session, invoice_id: int, other_client_id: int | None = None) -> Invoice:
    """The invoice under its lock, after those of its client and of the client that it shall have. Raises NotFound."""
    owner = session.scalar(select(Invoice.client_id).where(Invoice.id == invoice_id))
    if owner is None:
        raise NotFound(f"there is no invoice {invoice_id}")
    for client_id in sorted({owner, other_client_id or owner}):
        lock_client(session, client_id)
    return lock_invoices(session, [invoice_id])[0]
