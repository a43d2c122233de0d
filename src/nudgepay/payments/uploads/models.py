"""One uploaded file, from the upload to what became of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from nudgepay.db import Base

WAITING = frozenset({"checking", "importing"})
"""States in which a process has something to do."""
INVOICES, STATEMENT = "invoices", "statement"
"""What a file is of."""
STATES = ("choosing", "checking", "checked", "importing", "done", "failed", "discarded")


class ImportUpload(Base):
    """A file of a `kind`. `choices` is what its sender said of it, `report` what reading it came to.

    `content` is forgotten once it is done with. `attempts` counts who began the present work. The invoices that it
    created lie between `first_invoice_id` and `last_invoice_id` and were created at `written_at`.
    """

    __tablename__ = "import_uploads"
    __table_args__ = (
        Index(
            "ix_import_uploads_waiting",
            "id",
            postgresql_where=text("state IN ('checking', 'importing')"),
        ),
        CheckConstraint(
            "state IN ('choosing', 'checking', 'checked', 'importing', 'done', 'failed', 'discarded')", name="state"
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(server_default=text("'invoices'"))
    name: Mapped[str]
    content: Mapped[bytes | None] = mapped_column(deferred=True)
    digest: Mapped[str]
    size: Mapped[int]
    choices: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    state: Mapped[str] = mapped_column(server_default=text("'choosing'"))
    report: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    rows_done: Mapped[int] = mapped_column(server_default=text("0"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    first_invoice_id: Mapped[int | None]
    last_invoice_id: Mapped[int | None]
    written_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
