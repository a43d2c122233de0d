"""Operators, and the sessions in which they are signed in."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, LargeBinary, UniqueConstraint, func
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
