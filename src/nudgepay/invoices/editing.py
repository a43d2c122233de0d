"""Changing what an invoice says, while that is still possible; and opening a draft."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.invoices.actions import InvoiceClosed
from nudgepay.invoices.models import Client, Invoice
from nudgepay.invoices.validation import MAX_NUMBER, FieldError, clean_line
from nudgepay.money import MAX_MINOR_UNITS, ensure_currency

FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2199, 12, 31)
"""Dates beyond these are slips of the hand."""
EDITABLE = frozenset({"draft", "open"})


@dataclass(frozen=True, slots=True)
class InvoiceFields:
    """What a person may say about an invoice; the amount in minor units."""

    client_id: int
    number: str
    currency: str
    amount_due: int
    issued_on: date
    due_on: date
    description: str | None = None
    external_id: str | None = None
    schedule_name: str | None = None

    @classmethod
    def of(cls, invoice: Invoice) -> "InvoiceFields":
        """As the invoice stands."""
        return cls(**{one.name: getattr(invoice, one.name) for one in fields(cls)})

    def checked(self) -> "InvoiceFields":
        """The same with lines cleaned; raises FieldError for the first field that cannot be."""
        if not 0 < self.amount_due <= MAX_MINOR_UNITS:
            raise FieldError("amount_due", "out_of_range", "must be positive and below the product's limit")
        for name in ("issued_on", "due_on"):
            if not FIRST_DAY <= getattr(self, name) <= LAST_DAY:
                raise FieldError(name, "out_of_range", f"must lie between {FIRST_DAY} and {LAST_DAY}")
        if self.due_on < self.issued_on:
            raise FieldError("due_on", "before_issued", "must not lie before the day of issue")
        return InvoiceFields(
            client_id=self.client_id,
            number=clean_line(self.number, "number", longest=MAX_NUMBER),
            currency=ensure_currency(self.currency),
            amount_due=self.amount_due,
            issued_on=self.issued_on,
            due_on=self.due_on,
            description=clean_line(self.description, "description", longest=500) if self.description else None,
            external_id=clean_line(self.external_id, "external_id") if self.external_id else None,
            schedule_name=self.schedule_name,
        )


def ensure_free(session: Session, wanted: InvoiceFields, *, but: int | None = None) -> None:
    """Raise FieldError when the client is unknown, or number or external id belong to another invoice."""
    if session.get(Client, wanted.client_id) is None:
        raise FieldError("client_id", "unknown_client", "is no client; choose one")
    for name in ("number", "external_id"):
        value = getattr(wanted, name)
        if value is not None and is_taken(session, name, value, but=but):
            raise FieldError(name, "taken", f"belongs to another invoice: {value}")


def is_taken(session: Session, name: str, value: str, *, but: int | None = None) -> bool:
    """True when another invoice has this `number` or `external_id`."""
    other = session.scalar(select(Invoice.id).where(getattr(Invoice, name) == value))
    return other is not None and other != but


def edit_invoice(
    session: Session,
    invoice: Invoice,
    wanted: InvoiceFields,
    *,
    fixed: Mapping[str, str],
    now: datetime,
    actor: str,
) -> frozenset[str]:
    """Make a locked invoice say what is wanted; returns the names of the fields that changed.

    `fixed` names fields that may not change, and why. The amount never falls below what is paid. Another version, a
    look of the engine and an entry of the audit log follow every change. Raises InvoiceClosed and FieldError.
    """
    _ensure_editable(invoice)
    wanted = wanted.checked()
    before = InvoiceFields.of(invoice)
    changed = frozenset(one.name for one in fields(wanted) if getattr(wanted, one.name) != getattr(before, one.name))
    if not changed:
        return changed
    for name in sorted(changed & fixed.keys()):
        raise FieldError(name, fixed[name], "cannot be changed any more")
    if wanted.amount_due < invoice.amount_paid:
        raise FieldError("amount_due", "below_paid", "must not be less than what is paid already")
    ensure_free(session, wanted, but=invoice.id)
    _say(session, invoice, before, wanted, changed, now=now, actor=actor)
    return changed


def follow_schedule(session: Session, invoice: Invoice, name: str | None, *, now: datetime, actor: str) -> None:
    """A locked invoice follows this schedule from now on; None: that of its client. Raises InvoiceClosed.

    Whoever calls knows that the schedule exists.
    """
    _ensure_editable(invoice)
    before = InvoiceFields.of(invoice)
    wanted = replace(before, schedule_name=name)
    _say(session, invoice, before, wanted, frozenset({"schedule_name"}), now=now, actor=actor)


def _ensure_editable(invoice: Invoice) -> None:
    if invoice.status not in EDITABLE:
        raise InvoiceClosed(f"invoice {invoice.number} is {invoice.status}: it cannot be edited any more")


def _say(
    session: Session,
    invoice: Invoice,
    before: InvoiceFields,
    wanted: InvoiceFields,
    changed: frozenset[str],
    *,
    now: datetime,
    actor: str,
) -> None:
    for name in changed:
        setattr(invoice, name, getattr(wanted, name))
    invoice.amount_remaining = invoice.amount_due - invoice.amount_paid
    invoice.version += 1
    invoice.next_at = now if invoice.status == "open" else None
    audit.record(
        session,
        actor=actor,
        action="invoice.edit",
        subject=f"invoices:{invoice.id}",
        before=_told(before, changed),
        after={**_told(wanted, changed), "version": invoice.version},
    )


def open_draft(session: Session, invoice: Invoice, *, now: datetime, actor: str) -> None:
    """A locked draft becomes a claim: the engine looks at it in its next pass. Raises InvoiceClosed."""
    if invoice.status != "draft":
        raise InvoiceClosed(f"invoice {invoice.number} is {invoice.status}, no draft")
    invoice.status = "open"
    invoice.version += 1
    invoice.next_at = now
    audit.record(
        session,
        actor=actor,
        action="invoice.open",
        subject=f"invoices:{invoice.id}",
        before={"status": "draft"},
        after={"status": "open", "version": invoice.version},
    )


def _told(said: InvoiceFields, changed: frozenset[str]) -> dict[str, Any]:
    """For the audit log, which holds no text about people."""
    return {
        name: value.isoformat() if isinstance(value := getattr(said, name), date) else value
        for name in sorted(changed - {"description"})
    }
