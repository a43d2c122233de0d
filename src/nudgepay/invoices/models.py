"""Who owes what: clients, their contacts, their invoices."""

import secrets
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    Text,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nudgepay.db import Base


def new_token() -> str:
    """192 random bits for a mailed URL."""
    return secrets.token_urlsafe(24)


class Client(Base):
    """Who owes. `tolerance` maps a currency to the minor units that are not worth a letter.

    `version` grows with each edit, for optimistic locking.
    """

    __tablename__ = "clients"
    __table_args__ = (
        UniqueConstraint("external_id"),
        Index("ix_clients_name", text("lower(name)"), "id"),
        Index(
            "ix_clients_name_low",
            literal_column("lower(name)").label("low"),
            postgresql_ops={"low": "text_pattern_ops"},
        ),
        Index("ix_clients_name_grams", text("search_grams(lower(name))"), postgresql_using="gin"),
        Index("ix_clients_off", text("lower(name)"), "id", postgresql_where=text("reminders_off_at IS NOT NULL")),
        Index("ix_clients_paused", text("lower(name)"), "id", postgresql_where=text("paused_until IS NOT NULL")),
        Index("ix_clients_autopay", text("lower(name)"), "id", postgresql_where=text("autopay")),
        Index("ix_clients_schedule_name", "schedule_name", "id", postgresql_where=text("schedule_name IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str]
    external_id: Mapped[str | None]
    locale: Mapped[str]
    timezone: Mapped[str]
    country: Mapped[str]
    schedule_name: Mapped[str | None]
    reminders_off_at: Mapped[datetime | None]
    paused_until: Mapped[date | None]
    autopay: Mapped[bool] = mapped_column(server_default=text("false"))
    tolerance: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    version: Mapped[int] = mapped_column(server_default=text("1"))

    contacts: Mapped[list["Contact"]] = relationship(order_by="Contact.id", back_populates="client")


class Contact(Base):
    """A person at a client. Whether an address may be written to is the suppressions' word, not this row's.

    One with `removed_at` is written to no more; the row stays for the letters that it had.
    """

    __tablename__ = "contacts"
    __table_args__ = (
        UniqueConstraint("client_id", "email"),
        Index("ix_contacts_email", "email"),
        Index(
            "ix_contacts_email_low",
            literal_column("lower(email)").label("low"),
            postgresql_ops={"low": "text_pattern_ops"},
        ),
        Index("ix_contacts_grams", text("search_grams(lower((name || ' '::text) || email))"), postgresql_using="gin"),
        Index("ix_contacts_wrong_person", "client_id", postgresql_where=text("wrong_person_at IS NOT NULL")),
        UniqueConstraint("token"),
        CheckConstraint("role IN ('billing', 'approver', 'copy')", name="role"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"))
    name: Mapped[str]
    email: Mapped[str]
    role: Mapped[str] = mapped_column(server_default=text("'billing'"))
    locale: Mapped[str | None]
    timezone: Mapped[str | None]
    token: Mapped[str] = mapped_column(default=new_token)
    wrong_person_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    version: Mapped[int] = mapped_column(server_default=text("1"))

    client: Mapped[Client] = relationship(back_populates="contacts")


class Invoice(Base):
    """One claim, in minor units. `overdue` is computed, never stored.

    `amount_paid`, `amount_remaining` and `money_state` are a function of the facts allocated to it; only
    `payments` writes them. `next_at` is when the engine must look again (UTC; NULL: nothing to come). `autopay`: this
    one is debited by itself, whatever its client's other invoices are.
    """

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("token"),
        Index(
            "uq_invoices_external_id", "external_id", unique=True, postgresql_where=text("external_id IS NOT NULL")
        ),
        Index("ix_invoices_client_id_status", "client_id", "status"),
        Index("ix_invoices_next_at", "next_at", "id", postgresql_where=text("next_at IS NOT NULL")),
        Index("ix_invoices_paid_at", "closed_at", postgresql_where=text("status = 'paid'")),
        Index("ix_invoices_schedule_name", "schedule_name", "id", postgresql_where=text("schedule_name IS NOT NULL")),
        Index("ix_invoices_amnesty", "amnesty_at", postgresql_where=text("amnesty_at IS NOT NULL")),
        CheckConstraint("amount_due > 0", name="amount_due_positive"),
        CheckConstraint("amount_remaining = amount_due - amount_paid", name="amounts_add_up"),
        CheckConstraint("status IN ('draft', 'open', 'paid', 'void', 'uncollectible')", name="status"),
        CheckConstraint(
            "money_state IN ('unpaid', 'partially_paid', 'in_payment', 'paid', 'overpaid', 'refunded',"
            " 'needs_review')",
            name="money_state",
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    number: Mapped[str]
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"))
    external_id: Mapped[str | None]
    description: Mapped[str | None]
    currency: Mapped[str]
    amount_due: Mapped[int]
    amount_paid: Mapped[int] = mapped_column(server_default=text("0"))
    amount_remaining: Mapped[int]
    status: Mapped[str] = mapped_column(server_default=text("'open'"))
    money_state: Mapped[str] = mapped_column(server_default=text("'unpaid'"))
    issued_on: Mapped[date]
    due_on: Mapped[date]
    token: Mapped[str] = mapped_column(default=new_token)
    version: Mapped[int] = mapped_column(server_default=text("1"))
    schedule_name: Mapped[str | None]
    reminders_off_at: Mapped[datetime | None]
    paused_until: Mapped[date | None]
    amnesty_at: Mapped[datetime | None]
    autopay: Mapped[bool] = mapped_column(server_default=text("false"))
    autopay_failed_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]

    client: Mapped[Client] = relationship()


class OpenInvoiceTotal(Base):
    """A part of what is owed: summed up, the rows say how many invoices are open, and over how much (minor units).

    Triggers of `invoices` append what each change adds or takes away; nothing else writes here but the fold, which
    makes one row of those with the same currency and day. So writers never wait for one another.
    """

    __tablename__ = "open_invoice_totals"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    currency: Mapped[str]
    due_on: Mapped[date]
    invoices: Mapped[int]
    amount: Mapped[Decimal] = mapped_column(Numeric())


class InvoiceIndex(Base):
    """What lists of invoices filter and sort by and what searches look in, one row for each invoice.

    Triggers of `invoices` and `clients` write it, nothing else. It stands apart because planning rewrites an invoice
    (`next_at`) each time, and every index on `invoices` with it. `number` is in lower case and in the
    order of its signs; `words` are those of the number, the external id and the client's name.
    """

    __tablename__ = "invoice_index"
    __table_args__ = (
        Index("ix_invoice_index_due", "status", "due_on", "invoice_id"),
        Index("ix_invoice_index_currency_due", "status", "currency", "due_on", "invoice_id"),
        Index(
            "ix_invoice_index_remaining",
            "currency",
            "amount_remaining",
            "invoice_id",
            postgresql_where=text("status = 'open'"),
        ),
        Index(
            "ix_invoice_index_money_state",
            "money_state",
            "due_on",
            "invoice_id",
            postgresql_where=text("money_state NOT IN ('unpaid', 'paid')"),
        ),
        Index("ix_invoice_index_client_due", "client_id", "status", "due_on", "invoice_id"),
        Index("ix_invoice_index_amount", "amount_due", "invoice_id"),
        Index("ix_invoice_index_number", "number", "invoice_id"),
        Index("ix_invoice_index_grams", text("search_grams(number)"), postgresql_using="gin"),
        Index("ix_invoice_index_words", "words", postgresql_using="gin"),
    )

    invoice_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    client_id: Mapped[int]
    status: Mapped[str]
    money_state: Mapped[str]
    currency: Mapped[str]
    due_on: Mapped[date]
    amount_remaining: Mapped[int]
    amount_due: Mapped[int]
    number: Mapped[str] = mapped_column(Text(collation="C"))
    words: Mapped[str] = mapped_column(TSVECTOR)


class InvoiceDocument(Base):
    """The invoice itself as a PDF, for its reader. `token` is its public name."""

    __tablename__ = "invoice_documents"
    __table_args__ = (UniqueConstraint("token"),)

    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), primary_key=True)
    token: Mapped[str] = mapped_column(default=new_token)
    name: Mapped[str]
    content: Mapped[bytes]
    sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]


class ImportMapping(Base):
    """How files of one bank or program are read: `columns` is the file's column names to fields.

    `kind` is what they hold: `invoices` or `statement`.
    """

    __tablename__ = "import_mappings"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(server_default=text("'invoices'"))
    name: Mapped[str]
    columns: Mapped[dict[str, Any]]
    locale: Mapped[str | None]
    currency: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    created_by: Mapped[str]
