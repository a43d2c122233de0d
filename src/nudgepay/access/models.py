"""Operators, and the sessions in which they are signed in."""

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from nudgepay.db import Base


class Operator(Base):
    """A person who works here. `email` is lower case. `locale`, `timezone` and `theme` are the person's own taste."""

    __tablename__ = "operators"
    __table_args__ = (
        UniqueConstraint("email"),
        CheckConstraint("role IN ('viewer', 'auditor', 'operator', 'manager', 'superadmin')", name="role"),
        CheckConstraint("theme IN ('light', 'dark')", name="theme"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    email: Mapped[str]
    password_hash: Mapped[str]
    role: Mapped[str]
    locale: Mapped[str | None]
    timezone: Mapped[str | None]
    theme: Mapped[str | None]
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]


class OperatorSession(Base):
    """One sign-in. The cookie's value is nowhere; `token_hash` is its SHA-256. Proven by password and code."""

    __tablename__ = "sessions"
    __table_args__ = (UniqueConstraint("token_hash"), Index("ix_sessions_operator_id", "operator_id"))

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ends_at: Mapped[datetime]
    proven_at: Mapped[datetime] = mapped_column(server_default=func.now())
    user_agent: Mapped[str | None]
    network: Mapped[str | None]


class TotpFactor(Base):
    """An operator's authenticator app. `secret` is base32 as the app has it (ADR 13); `last_step` is used up."""

    __tablename__ = "totp_factors"

    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"), primary_key=True, autoincrement=False)
    secret: Mapped[str]
    last_step: Mapped[int] = mapped_column(server_default=text("0"))
    since: Mapped[datetime] = mapped_column(server_default=func.now())


class RecoveryCode(Base):
    """A code that stands in for the app, once. `code_hash` is its SHA-256."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("operator_id", "code_hash"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime | None]


class KnownDevice(Base):
    """A browser in which an operator signed in whole. `token_hash` is the SHA-256 of its cookie."""

    __tablename__ = "known_devices"
    __table_args__ = (
        UniqueConstraint("token_hash", "operator_id"),
        Index("ix_known_devices_operator_id", "operator_id", "seen_at"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    since: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ends_at: Mapped[datetime]


class SignInLimit(Base):
    """Tries by device, account, network or everywhere, and those refused that the audit log does not know yet."""

    __tablename__ = "sign_in_limits"
    __table_args__ = (Index("ix_sign_in_limits_seen_at", "seen_at"),)

    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    window_from: Mapped[datetime | None]
    window_count: Mapped[int] = mapped_column(server_default=text("0"))
    tries: Mapped[list[datetime]] = mapped_column(
        ARRAY(DateTime(timezone=True)), server_default=text("'{}'::timestamptz[]")
    )
    counted_at: Mapped[datetime | None]
    refused: Mapped[int] = mapped_column(server_default=text("0"))
    told: Mapped[int] = mapped_column(server_default=text("0"))
    told_at: Mapped[datetime | None]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SavedView(Base):
    """A list as an operator likes to see it: the query string of a page of theirs, under a name of their own."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("operator_id", "page", "name"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id"))
    page: Mapped[str]
    name: Mapped[str]
    query: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
