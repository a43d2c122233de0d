"""Money facts, their allocations, Checkout Sessions, reviews, the inbox of Stripe's events, bank statements."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from nudgepay.db import Base


class MoneyFact(Base):
    """Something that happened to a client's money, told once by (provider, provider_id, kind).

    `amount` is positive minor units; the kind gives the sign. `targets` is the ordered wish of the payer or
    the operator: `[{"invoice_id", "amount"}]`. `reverses` is the provider_id of the payment that a refund
    or chargeback takes back. A fact with a `problem` or `voided_at` is never allocated.
    """

    __tablename__ = "money_facts"
    __table_args__ = (
        UniqueConstraint("provider", "provider_id", "kind"),
        Index("ix_money_facts_client_id", "client_id"),
        Index("ix_money_facts_recorded_at", "recorded_at"),
        Index(
            "ix_money_facts_came_in",
            "occurred_at",
            "id",
            postgresql_include=["currency", "amount"],
            postgresql_where=text(
                "kind IN ('payment', 'manual') AND voided_at IS NULL AND problem IS NULL AND provider <> 'import'"
            ),
        ),
        Index("ix_money_facts_reverses", "provider", "reverses"),
        CheckConstraint("amount > 0", name="amount_positive"),
        CheckConstraint("kind IN ('payment', 'refund', 'chargeback', 'credit', 'manual')", name="kind"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    provider: Mapped[str]
    provider_id: Mapped[str]
    kind: Mapped[str]
    amount: Mapped[int]
    currency: Mapped[str]
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"))
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    reverses: Mapped[str | None]
    targets: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    problem: Mapped[str | None]
    voided_at: Mapped[datetime | None]
    actor: Mapped[str]
    note: Mapped[str | None]


class Allocation(Base):
    """How much of a fact counts for an invoice (minor units, positive; the fact's kind gives the sign)."""

    __tablename__ = "allocations"
    __table_args__ = (
        Index("ix_allocations_invoice_id", "invoice_id"),
        CheckConstraint("amount > 0", name="amount_positive"),
    )

    fact_id: Mapped[int] = mapped_column(ForeignKey("money_facts.id"), primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), primary_key=True)
    amount: Mapped[int]


class CheckoutSession(Base):
    """Our intent to let a payer pay, persisted before Stripe is asked; what became of it, each told once.

    `page` is `invoice:ID` or `letter:ID`; `lines` is `[{"invoice_id", "amount"}]`, oldest invoice first.
    Whether money is on its way is a function of the four instants, so their order cannot matter. `checked_at` is
    when the sweep last asked Stripe about it, so that many unsettled ones all get their turn.
    """

    __tablename__ = "checkout_sessions"
    __table_args__ = (
        UniqueConstraint("idempotency_key"),
        UniqueConstraint("session_id"),
        Index("ix_checkout_sessions_page", "page"),
        Index("ix_checkout_sessions_client_id", "client_id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    page: Mapped[str]
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"))
    lines: Mapped[list[Any]]
    amount: Mapped[int]
    currency: Mapped[str]
    idempotency_key: Mapped[str]
    session_id: Mapped[str | None]
    payment_intent_id: Mapped[str | None]
    url: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    completed_unpaid_at: Mapped[datetime | None]
    succeeded_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    expired_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]

    @property
    def is_decided(self) -> bool:
        """True once the payment has succeeded or failed, or the session has expired."""
        return any((self.succeeded_at, self.failed_at, self.expired_at))


class StripeInvoice(Base):
    """What Stripe says of an invoice that was imported from it, and what we told Stripe of it.

    `status` is Stripe's last word. `money_pending_at`: money is on its way, or told and not read yet. `closing_at` is
    our intent to close it there, because our books say paid: written before Stripe is asked, and from then on money
    from outside Stripe is not booked from there. `refusals` counts final refusals, each followed by a new key.
    """

    __tablename__ = "stripe_invoices"
    __table_args__ = (
        UniqueConstraint("stripe_id"),
        Index(
            "ix_stripe_invoices_unfinished",
            "checked_at",
            postgresql_where=text("status IN ('open', 'uncollectible')"),
        ),
        CheckConstraint("status IN ('open', 'paid', 'void', 'uncollectible')", name="status"),
    )

    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"), primary_key=True, autoincrement=False)
    stripe_id: Mapped[str]
    livemode: Mapped[bool]
    status: Mapped[str] = mapped_column(server_default=text("'open'"))
    amount_paid: Mapped[int] = mapped_column(server_default=text("0"))
    checked_at: Mapped[datetime | None]
    money_pending_at: Mapped[datetime | None]
    closing_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    refused_at: Mapped[datetime | None]
    refusals: Mapped[int] = mapped_column(server_default=text("0"))
    partial_told_at: Mapped[datetime | None]


class Review(Base):
    """A doubt about an invoice's money that a person (or the provider's final word) settles."""

    __tablename__ = "reviews"
    __table_args__ = (
        UniqueConstraint("dedup_key"),
        Index("ix_reviews_invoice_id", "invoice_id"),
        Index("ix_reviews_invoice_id_open", "invoice_id", postgresql_where=text("resolved_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"))
    reason: Mapped[str]
    dedup_key: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    resolution: Mapped[str | None]


class StripeEvent(Base):
    """An event as Stripe sent it: stored before it is answered, applied later, never lost."""

    __tablename__ = "stripe_events"
    __table_args__ = (
        Index("ix_stripe_events_waiting", "next_try_at", postgresql_where=text("handled_at IS NULL")),
        Index("ix_stripe_events_handled_at", "handled_at", postgresql_where=text("handled_at IS NOT NULL")),
    )

    event_id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    payload: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    handled_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    error: Mapped[str | None]


class BankStatement(Base):
    """One account's part of one file. `digest` is the file's SHA-256, and `:n` for its n-th further account.

    `name` is the file's own, `held` what the part held (`lines known debits pending reversals`), lines that were kept
    and those that were known already; both are empty for statements that were read before they were written down.
    """

    __tablename__ = "bank_statements"
    __table_args__ = (UniqueConstraint("digest"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    digest: Mapped[str]
    account: Mapped[str]
    format: Mapped[str]
    period_from: Mapped[date | None]
    period_to: Mapped[date | None]
    imported_at: Mapped[datetime]
    imported_by: Mapped[str]
    name: Mapped[str | None]
    held: Mapped[dict[str, Any] | None]


class BankLine(Base):
    """Money that a bank says has come (`credit`), or was taken back (`reversal`); `amount` in minor units.

    It waits until a person confirms or ignores it. `fact_id` is the payment that it became; when that is undone, the
    line waits again and `undone` counts it, so that it can be confirmed as a payment of another name.
    """

    __tablename__ = "bank_lines"
    __table_args__ = (
        UniqueConstraint("dedup_key"),
        Index("ix_bank_lines_statement_id", "statement_id"),
        Index("ix_bank_lines_waiting", "booked_on", "id", postgresql_where=text("state = 'waiting'")),
        Index("uq_bank_lines_fact_id", "fact_id", unique=True, postgresql_where=text("fact_id IS NOT NULL")),
        CheckConstraint("amount > 0 OR (kind = 'reversal' AND amount <> 0)", name="amount_has_its_sign"),
        CheckConstraint("kind IN ('credit', 'reversal')", name="kind"),
        CheckConstraint("state IN ('waiting', 'confirmed', 'ignored')", name="state"),
        CheckConstraint("(state = 'confirmed') = (fact_id IS NOT NULL)", name="confirmed_by_a_fact"),
        CheckConstraint("(state = 'waiting') = (decided_at IS NULL)", name="decided_at_some_time"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    statement_id: Mapped[int] = mapped_column(ForeignKey("bank_statements.id"))
    dedup_key: Mapped[str]
    kind: Mapped[str]
    booked_on: Mapped[date]
    amount: Mapped[int]
    currency: Mapped[str]
    counterparty: Mapped[str]
    purpose: Mapped[str]
    reference: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    reason: Mapped[str | None]
    fact_id: Mapped[int | None] = mapped_column(ForeignKey("money_facts.id"))
    undone: Mapped[int] = mapped_column(server_default=text("0"))
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
