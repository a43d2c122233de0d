"""One message that is no reminder, from the wish to what became of it."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from nudgepay.db import Base
from nudgepay.invoices.models import new_token

KINDS = ("thanks", "statement", "digest", "copy", "test")


class Mailing(Base):
    """One message of a kind. `dedup_key` says what it is about, so that the same wish is one message.

    `details` holds ids only, and for a test the text that is tried. The message is written at the last moment, from
    the books as they are then; `reason` says why it waits or was cancelled. States are those of a letter.
    """

    __tablename__ = "mailings"
    __table_args__ = (
        UniqueConstraint("dedup_key"),
        UniqueConstraint("message_id"),
        UniqueConstraint("token"),
        Index("ix_mailings_waiting", "look_at", postgresql_where=text("state = 'planned'")),
        Index("ix_mailings_unsettled", "state", postgresql_where=text("state IN ('sending', 'unknown')")),
        Index("ix_mailings_client_id", "client_id"),
        Index("ix_mailings_to_address", "to_address", "sending_at"),
        CheckConstraint("kind IN ('thanks', 'statement', 'digest', 'copy', 'test')", name="kind"),
        CheckConstraint(
            "state IN ('planned', 'sending', 'accepted', 'delivered', 'bounced', 'complained', 'failed', 'unknown',"
            " 'cancelled')",
            name="state",
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    kind: Mapped[str]
    dedup_key: Mapped[str]
    client_id: Mapped[int | None] = mapped_column(ForeignKey("clients.id"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id"))
    to_address: Mapped[str]
    token: Mapped[str] = mapped_column(default=new_token)
    n: Mapped[int] = mapped_column(server_default=text("1"))
    message_id: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    state: Mapped[str] = mapped_column(server_default=text("'planned'"))
    reason: Mapped[str | None]
    look_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    lease_until: Mapped[datetime | None]
    subject: Mapped[str | None]
    mime: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sending_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    reply: Mapped[str | None]
