"""Power that is handed on: tokens of programs, acts that take a second person, and first sign-ins."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, LargeBinary, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from nudgepay.db import Base

STATES = ("waiting", "approved", "declined", "withdrawn", "used", "revoked", "expired")


class ServiceToken(Base):
    """A program's way in: `npt_PREFIX_SECRET`, of which the secret is nowhere.

    `secret_hash` is its HMAC under the pepper that `pepper_id` names. `scopes` are permissions.
    """

    __tablename__ = "service_tokens"
    __table_args__ = (
        UniqueConstraint("prefix"),
        Index("ix_service_tokens_created_by", "created_by"),
        CheckConstraint("expires_at <= created_at + interval '366 days'", name="expires_at"),
        CheckConstraint("jsonb_array_length(scopes) > 0", name="scopes"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    prefix: Mapped[str]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    pepper_id: Mapped[str]
    name: Mapped[str]
    scopes: Mapped[list[Any]]
    created_by: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None]


class Approval(Base):
    """One act that somebody asks for, and what a second person said.

    `digest` is of the canonical `params`: a yes covers exactly these. `single` is used up by its act; a `policy`
    covers a job's acts until it is revoked. `alone`: nobody else could approve, so the act waits until `ready_at`.
    """

    __tablename__ = "approvals"
    __table_args__ = (
        CheckConstraint("kind IN ('single', 'policy')", name="kind"),
        CheckConstraint(f"state IN ({', '.join(repr(state) for state in STATES)})", name="state"),
        CheckConstraint("decided_by <> asked_by", name="second_person"),
        CheckConstraint("state NOT IN ('approved', 'declined') OR decided_by IS NOT NULL", name="decided"),
        CheckConstraint("state <> 'used' OR decided_by IS NOT NULL OR alone", name="used"),
        CheckConstraint("alone = (ready_at IS NOT NULL)", name="alone"),
        Index(
            "uq_approvals_open",
            "kind",
            "act",
            "digest",
            "asked_by",
            unique=True,
            postgresql_where=text("state IN ('waiting', 'approved')"),
        ),
        Index("ix_approvals_expires_at", "expires_at", postgresql_where=text("state IN ('waiting', 'approved')")),
        Index("ix_approvals_asked_by", "asked_by", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[str]
    act: Mapped[str]
    params: Mapped[dict[str, Any]]
    digest: Mapped[str]
    reason: Mapped[str]
    state: Mapped[str]
    asked_by: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    alone: Mapped[bool]
    ready_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("operators.id"))
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
    used_at: Mapped[datetime | None]
    used_by: Mapped[str | None]
    uses: Mapped[int] = mapped_column(server_default=text("0"))


class Invitation(Base):
    """A link by which an operator chooses a password, once. The token is nowhere; `token_hash` is its SHA-256."""

    __tablename__ = "invitations"
    __table_args__ = (UniqueConstraint("token_hash"),)

    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]
