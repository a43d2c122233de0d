"""The log, the chain over it, and the points at which the chain was written down."""

from datetime import datetime
from typing import Any

from sqlalchemy import FetchedValue, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from nudgepay.db import Base


class AuditEvent(Base):
    """One act. `before` and `after` hold ids, states and amounts, never personal data.

    `origin` may be a person's address: it and its salt can be forgotten, the commitment to both stays.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_subject", "subject", "id"),
        Index("ix_audit_events_at", "at", "id"),
        Index("ix_audit_events_actor", "actor", "at", "id"),
        Index("ix_audit_events_action", "action", "at", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    origin: Mapped[str | None]
    origin_salt: Mapped[bytes | None] = mapped_column(server_default=FetchedValue())
    origin_commitment: Mapped[bytes | None] = mapped_column(server_default=FetchedValue())
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]


class AuditSeal(Base):
    """A record's place in the chain: its digest, and the hash over that and everything before it."""

    __tablename__ = "audit_seals"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(unique=True)
    digest: Mapped[bytes]
    hash: Mapped[bytes]


class AuditCheckpoint(Base):
    """Where the chain stood: after `seq` records its head was `head`; none up to `settled_id` was still to come."""

    __tablename__ = "audit_checkpoints"
    __table_args__ = (Index("ix_audit_checkpoints_seq", "seq", "id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    seq: Mapped[int]
    count: Mapped[int]
    event_id: Mapped[int]
    settled_id: Mapped[int]
    head: Mapped[bytes]
    at: Mapped[datetime]
    key_id: Mapped[str | None]
    signature: Mapped[bytes | None]
