"""What was erased, without who it was; and the key under which erased addresses are recognised again."""

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Uuid, func, text
from sqlalchemy.orm import Mapped, mapped_column

from nudgepay.db import Base


class Erasure(Base):
    """One person erased: ids only. `kept_until` is the day after which nothing of what the law keeps is kept."""

    __tablename__ = "erasures"

    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    erased_at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    client_ids: Mapped[list[Any]]
    contact_ids: Mapped[list[Any]]
    operator_ids: Mapped[list[Any]]
    kept_until: Mapped[date | None]
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class ErasureKey(Base):
    """One row: a random key as HMAC-SHA256 (RFC 2104) uses it, mixed with its two paddings."""

    __tablename__ = "erasure_key"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    inner: Mapped[bytes]
    outer: Mapped[bytes]
