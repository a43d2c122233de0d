"""Stripe's open invoices become ours: all of them or none; the same again changes nothing.

What was paid already is read from each invoice's payments, under the names by which events and the sweep know them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay.db import Database
from nudgepay.errors import UsageError
from nudgepay.gateways.stripe import StripeGateway
from nudgepay.invoices.importing.faults import RowFault
from nudgepay.invoices.importing.rows import Defaults, InvoiceRow
from nudgepay.invoices.models import Client, Contact, Invoice
from nudgepay.payments.invoice_looks import look
from nudgepay.payments.models import StripeInvoice
from nudgepay.payments.rows import CHUNK, ImportReport, write_rows
from nudgepay.payments.stripe_invoices import debited_by_stripe, take_invoice
from nudgepay.payments.stripe_rows import InvoiceReader
from nudgepay.payments.terms import StripeTerms

TELL_EVERY = 100
FIELDS = frozenset(
    {
        *("id", "status", "livemode", "currency", "amount_due", "amount_paid", "collection_method", "auto_advance"),
        *("attempted", "next_payment_attempt", "created", "status_transitions", "payments"),
    }
)
"""What is kept of each invoice while a long list is read."""

Json = dict[str, Any]
Progress = Callable[[int], None]


@dataclass(slots=True)
class _Found:
    rows: list[InvoiceRow] = field(default_factory=list)
    documents: dict[str, Json] = field(default_factory=dict)


def import_invoices(
    db: Database,
    gateway: StripeGateway,
    *,
    terms: StripeTerms,
    defaults: Defaults,
    now: datetime,
    actor: str,
    release: bool = False,
    dry_run: bool = False,
    progress: Progress = lambda rows: None,
) -> ImportReport:
    """Read every open invoice and, unless any has a fault, write them in one transaction.

    Those overdue already wait for a person's release unless `release`. A dry run writes nothing. Raises UsageError
    for a key of the wrong mode, and what the gateway raises; faults of invoices are in the report.
    """
    report = ImportReport(encoding="stripe")
    found = _read(gateway, report, terms=terms, defaults=defaults, progress=progress)
    if report.errors:
        return report
    write_rows(
        db,
        found.rows,
        report,
        subject="stripe:open_invoices",
        now=now,
        actor=actor,
        release=release,
        dry_run=dry_run,
        progress=progress,
        first=lambda session: _adopt_clients(session, found.rows),
        then=lambda session: _link(session, found, report, now=now),
    )
    if not report.errors and not dry_run:
        _look_again(db, gateway, found, now=now)
    return report


def _read(
    gateway: StripeGateway, report: ImportReport, *, terms: StripeTerms, defaults: Defaults, progress: Progress
) -> _Found:
    found, reader = _Found(), InvoiceReader(defaults=defaults)
    numbers: dict[str, str] = {}
    for document in gateway.invoices.list_open():
        if terms.breach(document) is not None:
            raise UsageError("the key belongs to another mode than this installation: set STRIPE_SECRET_KEY anew")
        stripe_id = str(document["id"])
        if stripe_id in found.documents or document.get("status") not in {"open", "draft"}:
            continue
        report.rows += 1
        if report.rows % TELL_EVERY == 0:
            progress(report.rows)
        row = reader.read(document, report.rows)
        if row is None:
            continue
        if numbers.setdefault(row.invoice_number, stripe_id) != stripe_id:
            message = f"{stripe_id} has the number of {numbers[row.invoice_number]}: void one of them at Stripe"
            reader.faults.append(RowFault(row.line, "number", "number_twice", message))
        if document.get("amount_paid") or document.get("attempted"):
            document = gateway.invoices.retrieve(stripe_id)
        found.rows.append(row)
        found.documents[stripe_id] = {name: document[name] for name in FIELDS & document.keys()}
    report.errors = reader.faults
    return found


def _adopt_clients(session: Session, rows: list[InvoiceRow]) -> None:
    """A client that came another way, by the same name and address, is the customer at Stripe from now on."""
    wanted = {(row.client_name.casefold(), row.client_email): row.client_external_id for row in rows}
    taken = set(session.scalars(select(Client.external_id).where(Client.external_id.is_not(None))))
    query = select(Client, Contact.email).join(Contact).where(Client.external_id.is_(None))
    for client, email in session.execute(query.order_by(Client.id)):
        customer = wanted.get((client.name.casefold(), email))
        if customer is not None and client.external_id is None and customer not in taken:
            client.external_id = customer
            taken.add(customer)


def _link(session: Session, found: _Found, report: ImportReport, *, now: datetime) -> None:
    """Tie each invoice to Stripe's, mark what is debited by itself, and take what was paid already."""
    session.flush()
    for start in range(0, len(found.rows), CHUNK):
        rows = {row.invoice_number: row for row in found.rows[start : start + CHUNK]}
        invoices = session.scalars(select(Invoice).where(Invoice.number.in_(rows))).all()
        known = set(
            session.scalars(
                select(StripeInvoice.invoice_id).where(StripeInvoice.invoice_id.in_([one.id for one in invoices]))
            )
        )
        for invoice in sorted(invoices, key=lambda one: one.id):
            if invoice.id not in known:
                _link_one(session, invoice, rows[invoice.number], found, report)
    session.flush()
    if report.errors:
        return
    for document in found.documents.values():
        if "payments" in document:
            take_invoice(session, document, now=now)


def _link_one(session: Session, invoice: Invoice, row: InvoiceRow, found: _Found, report: ImportReport) -> None:
    stripe_id = str(row.external_id)
    document = found.documents[stripe_id]
    if invoice.external_id not in {None, stripe_id}:
        message = f"{stripe_id} has the number of another invoice here: change one of the two numbers"
        report.errors.append(RowFault(row.line, "number", "other_invoice", message))
        return
    if invoice.amount_paid and document.get("amount_paid"):
        message = (
            f"{stripe_id} is here with money on it that Stripe may mean too: take it back here with"
            " `nudgepay payments undo`, then import again"
        )
        report.errors.append(RowFault(row.line, "amount_paid", "paid_here_already", message))
        return
    invoice.external_id = stripe_id
    invoice.autopay = debited_by_stripe(document)
    made = insert(StripeInvoice).values(
        invoice_id=invoice.id, stripe_id=stripe_id, livemode=bool(document.get("livemode"))
    )
    session.execute(made)


def _look_again(db: Database, gateway: StripeGateway, found: _Found, *, now: datetime) -> None:
    """What was paid or withdrawn while the list was read: its event came before we knew the invoice."""
    still_open = {str(document["id"]) for document in gateway.invoices.list_open(with_customers=False)}
    for stripe_id in found.documents.keys() - still_open:
        look(db, gateway, stripe_id, now=now)
