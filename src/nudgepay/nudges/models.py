"""Schedules and steps, operators' own texts, reminders, letters, runs."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nudgepay.db import Base
from nudgepay.invoices.models import new_token


class ScheduleVersion(Base):
    """One version of a named schedule. The highest version of a name is in force; old ones never change.

    `retired_at` on the highest one: nobody may follow the name any more.
    """

    __tablename__ = "schedules"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]
    retired_at: Mapped[datetime | None]

    steps: Mapped[list["ScheduleStep"]] = relationship(order_by="ScheduleStep.position")


class ScheduleStep(Base):
    """One step: `offset_days` from the anchor, in calendar or business days of the client's country."""

    __tablename__ = "schedule_steps"
    __table_args__ = (
        UniqueConstraint("schedule_id", "code"),
        CheckConstraint("anchor IN ('due_on', 'issued_on', 'previous_step')", name="anchor"),
        CheckConstraint("tone IN ('friendly', 'firm', 'final')", name="tone"),
    )

    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedules.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    anchor: Mapped[str] = mapped_column(server_default=text("'due_on'"))
    offset_days: Mapped[int]
    business_days: Mapped[bool] = mapped_column(server_default=text("false"))
    template: Mapped[str]
    tone: Mapped[str]
    minimum_remaining: Mapped[int] = mapped_column(server_default=text("0"))
    review: Mapped[bool] = mapped_column(server_default=text("false"))


class ClosingDay(Base):
    """A day on which the business sends nothing, in every reader's own zone."""

    __tablename__ = "closing_days"

    day: Mapped[date] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]


class LetterText(Base):
    """An operators' own text of one template in one language: the number of its version in force."""

    __tablename__ = "letter_texts"

    template: Mapped[str] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(server_default=text("0"))


class LetterTextVersion(Base):
    """One version of a text, never changed. Without subject and body: the text that ships, put back."""

    __tablename__ = "letter_text_versions"
    __table_args__ = (
        ForeignKeyConstraint(["template", "language"], ["letter_texts.template", "letter_texts.language"]),
        CheckConstraint("(subject IS NULL) = (body IS NULL)", name="whole"),
    )

    template: Mapped[str] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    subject: Mapped[str | None]
    body: Mapped[str | None]
    restored_from: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]


class Run(Base):
    """One pass of planner and sender. `now` is the business instant it was told."""

    __tablename__ = "runs"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    now: Mapped[datetime]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class Letter(Base):
    """One mail to one contact in one currency. The row, with its exact text, exists before it is sent.

    `template` and `language` name the text that led it, `text_version` the operators' own; NULL: the one that ships.
    """

    __tablename__ = "letters"
    __table_args__ = (
        ForeignKeyConstraint(
            ["template", "language", "text_version"],
            ["letter_text_versions.template", "letter_text_versions.language", "letter_text_versions.version"],
        ),
        UniqueConstraint("message_id"),
        UniqueConstraint("token"),
        Index("ix_letters_client_id", "client_id", "sending_at"),
        Index("ix_letters_contact_id", "contact_id", "sending_at"),
        Index("ix_letters_to_address", "to_address", "sending_at"),
        Index("ix_letters_sending_at_state", "sending_at", postgresql_include=["state"]),
        Index("ix_letters_state", "state", "sending_at", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"))
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id"))
    run_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("runs.id"))
    currency: Mapped[str]
    amount: Mapped[int]
    locale: Mapped[str]
    to_address: Mapped[str]
    n: Mapped[int] = mapped_column(server_default=text("1"))
    message_id: Mapped[str]
    token: Mapped[str] = mapped_column(default=new_token)
    state: Mapped[str]
    subject: Mapped[str]
    template: Mapped[str | None]
    language: Mapped[str | None]
    text_version: Mapped[int | None]
    mime: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    looked_at: Mapped[datetime]
    sending_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(server_default=text("1"))
    accepted_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    reply: Mapped[str | None]


class Reminder(Base):
    """One occurrence of a step for an invoice: the queue itself.

    `look_at` is when a pass must look at a `planned` one (UTC). `fence` grows with each claim; whoever holds
    an older one writes nothing. `nudge_key` marks a manual nudge, one per key.
    """

    __tablename__ = "reminders"
    __table_args__ = (
        Index(
            "uq_reminders_occurrence",
            "invoice_id",
            "step",
            "schedule_version",
            unique=True,
            postgresql_where=text("nudge_key IS NULL"),
        ),
        UniqueConstraint("nudge_key"),
        Index("ix_reminders_look_at_planned", "look_at", postgresql_where=text("state = 'planned'")),
        Index(
            "ix_reminders_look_at_manual",
            "look_at",
            postgresql_where=text("state = 'planned' AND nudge_key IS NOT NULL"),
        ),
        Index(
            "ix_reminders_in_hand",
            "lease_until",
            postgresql_where=text("state IN ('claimed', 'sending')"),
        ),
        Index(
            "ix_reminders_held",
            "held_reason",
            "invoice_id",
            postgresql_where=text("state = 'planned' AND held_reason IS NOT NULL"),
        ),
        Index("ix_reminders_client_id_state", "client_id", "state"),
        Index("ix_reminders_letter_id", "letter_id"),
        CheckConstraint(
            "state IN ('planned', 'claimed', 'sending', 'accepted', 'delivered', 'bounced', 'complained',"
            " 'skipped', 'cancelled', 'failed', 'unknown')",
            name="state",
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"))
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"))
    step: Mapped[str]
    schedule_version: Mapped[int]
    nudge_key: Mapped[str | None]
    gap_overridden_by: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default=text("'planned'"))
    reason: Mapped[str | None]
    held_reason: Mapped[str | None]
    held_until: Mapped[datetime | None]
    due_at: Mapped[datetime]
    look_at: Mapped[datetime]
    reviewed_at: Mapped[datetime | None]
    reviewed_by: Mapped[str | None]
    letter_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("letters.id"))
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
