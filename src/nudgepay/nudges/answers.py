"""What payers and mailboxes told us, and the two switches of the sender: rows that hold reminders."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from nudgepay.db import Base


class Suppression(Base):
    """An address that must not be written to. Lifted only by a named person, never silently by a form."""

    __tablename__ = "suppressions"
    __table_args__ = (
        Index(
            "uq_suppressions_in_force",
            "address",
            "reason",
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
        ),
        CheckConstraint("reason IN ('unsubscribed', 'bounced', 'complained', 'manual')", name="reason"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    address: Mapped[str]
    reason: Mapped[str]
    source: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None]
    lift_reason: Mapped[str | None]


class Promise(Base):
    """A payer's "I will pay on ...". `baseline_paid` is what had been paid when it was made (minor units)."""

    __tablename__ = "promises"
    __table_args__ = (
        Index("ix_promises_invoice_id", "invoice_id"),
        Index("uq_promises_pending", "invoice_id", unique=True, postgresql_where=text("state = 'pending'")),
        CheckConstraint(
            "state IN ('pending', 'kept', 'partially_kept', 'broken', 'renegotiated', 'cancelled')",
            name="state",
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"))
    promised_on: Mapped[date]
    amount: Mapped[int]
    baseline_paid: Mapped[int]
    grace_days: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=text("'pending'"))
    source: Mapped[str]
    made_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class Dispute(Base):
    """A payer's objection to all of an invoice (`amount` NULL) or to a part of it (minor units)."""

    __tablename__ = "disputes"
    __table_args__ = (Index("ix_disputes_invoice_id", "invoice_id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"))
    amount: Mapped[int | None]
    message: Mapped[str | None]
    source: Mapped[str]
    opened_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    resolution: Mapped[str | None]


class PaymentClaim(Base):
    """A payer's "I have paid": silence until `until`, then the chase goes on unless money came."""

    __tablename__ = "payment_claims"
    __table_args__ = (Index("ix_payment_claims_invoice_id", "invoice_id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"))
    claimed_at: Mapped[datetime]
    until: Mapped[datetime]
    source: Mapped[str]
    settled_at: Mapped[datetime | None]


class SendingSwitch(Base):
    """The big switch: one row. `paused_at` set means that nothing leaves.

    `restored_at`: this database came out of a backup then, and nobody has let it send since.
    """

    __tablename__ = "sending_switch"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    paused_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    restored_at: Mapped[datetime | None]


class CronSignature(Base):
    """A signature of /internal/run-reminders that was used; each works once."""

    __tablename__ = "cron_signatures"
    __table_args__ = (UniqueConstraint("signature"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    signature: Mapped[str]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
