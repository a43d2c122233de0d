"""Who did what, when, from where: written in the same transaction as the act. Append-only."""

from datetime import datetime
from typing import Any

from sqlalchemy import Identity, Index, func
from sqlalchemy.orm import Mapped, Session, mapped_column

from nudgepay.db import Base


class AuditEvent(Base):
    """One act. `before` and `after` hold ids, states and amounts, never personal data."""

    __tablename__ = "audit_events"
    __table_args__ = (Index("ix_audit_events_subject", "subject", "id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    origin: Mapped[str | None]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]


def record(
    session: Session,
    *,
    actor: str,
    action: str,
    subject: str,
    origin: str | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write one audit row into the caller's transaction.

    `actor` is `cli:USER`, `job:NAME`, `payer` or an operator; `action` is `noun.verb`;
    `subject` is `table:id`.
    """
    session.add(AuditEvent(actor=actor, action=action, subject=subject, origin=origin, before=before, after=after))
