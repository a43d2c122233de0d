"""What people do with an upload: bring it, say how it is read, start it, throw it away. Twice is once."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload, undefer

from nudgepay import audit
from nudgepay.errors import Conflict, NotFound
from nudgepay.invoices.models import Invoice
from nudgepay.payments.uploads.models import INVOICES, ImportUpload

KEPT = timedelta(days=7)
"""How long a file waits for its person before it is forgotten."""
LONGEST_NAME = 120
NEWEST = 15


class UploadMoved(Conflict):
    """The upload is not where the person saw it."""


class Choosing(Protocol):
    """How a person says that a file is read."""

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        ...


def store_upload(
    session: Session, *, name: str, content: bytes, choices: Choosing, actor: str, kind: str = INVOICES
) -> ImportUpload:
    """Keep a file as it came; nothing of it is on the books."""
    shown = "".join(sign for sign in name if sign.isprintable())[-LONGEST_NAME:].strip()
    upload = ImportUpload(
        kind=kind,
        name=shown or "file",
        content=content,
        digest=hashlib.sha256(content).hexdigest(),
        size=len(content),
        choices=choices.document(),
        created_by=actor,
    )
    session.add(upload)
    session.flush()
    after = {"sha256": upload.digest[:16], "bytes": upload.size}
    audit.record(session, actor=actor, action="upload.store", subject=f"import_uploads:{upload.id}", after=after)
    return upload


def upload_by_id(
    session: Session, upload_id: int, *, lock: bool = False, content: bool = False, kind: str | None = None
) -> ImportUpload:
    """The upload; raises NotFound, also for one of another kind."""
    query = select(ImportUpload).where(ImportUpload.id == upload_id).execution_options(populate_existing=True)
    query = query.where(ImportUpload.kind == kind) if kind else query
    query = query.options(undefer(ImportUpload.content)) if content else query
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound("there is no such upload")
    return found


def newest_uploads(session: Session, *, kind: str = INVOICES) -> Sequence[ImportUpload]:
    """The uploads of late, newest first."""
    query = select(ImportUpload).where(ImportUpload.state != "discarded", ImportUpload.kind == kind)
    query = query.order_by(ImportUpload.id.desc())
    return session.scalars(query.limit(NEWEST)).all()


def ask_for_check(
    session: Session, upload_id: int, choices: Choosing | None = None, *, kind: str | None = None
) -> ImportUpload:
    """Let the whole file be read on trial, in this way or as before.

    Raises NotFound, UploadMoved once it is being imported.
    """
    upload = upload_by_id(session, upload_id, lock=True, kind=kind)
    if upload.state not in {"choosing", "checking", "checked", "failed"}:
        raise UploadMoved("this file is imported, or thrown away, already")
    upload.choices = choices.document() if choices is not None else upload.choices
    upload.state, upload.report, upload.error = "checking", None, None
    upload.rows_done = upload.attempts = 0
    return upload


def ask_for_import(
    session: Session, upload_id: int, *, actor: str, kind: str | None = None, unseen: bool = False
) -> ImportUpload:
    """Let it be imported as it was checked; `unseen`: at once, for a file of which a fault keeps all of it out.

    Raises NotFound, UploadMoved unless it was checked well.
    """
    upload = upload_by_id(session, upload_id, lock=True, kind=kind)
    if upload.state in {"importing", "done"}:
        return upload
    is_checked = upload.state == "checked" and upload.report is not None and not upload.report["faults"]
    if not is_checked and not (unseen and upload.state == "choosing"):
        raise UploadMoved("this file was not checked, or is not right yet; look at it again")
    upload.state, upload.rows_done, upload.attempts = "importing", 0, 0
    audit.record(session, actor=actor, action="upload.import", subject=f"import_uploads:{upload_id}")
    return upload


def discard_upload(session: Session, upload_id: int, *, actor: str, kind: str | None = None) -> None:
    """Forget a file that was not imported. Raises NotFound, UploadMoved once it is being imported."""
    upload = upload_by_id(session, upload_id, lock=True, kind=kind)
    if upload.state == "discarded":
        return
    if upload.state in {"importing", "done"}:
        raise UploadMoved("this file is imported already")
    upload.state, upload.content, upload.report = "discarded", None, None
    audit.record(session, actor=actor, action="upload.discard", subject=f"import_uploads:{upload_id}")


def forget_uploads(session: Session) -> int:
    """Forget the files that nobody came back for; returns how many."""
    old = func.now() - KEPT
    statement = (
        update(ImportUpload)
        .where(ImportUpload.state.in_(["choosing", "checked", "failed"]), ImportUpload.updated_at < old)
        .values(state="discarded", content=None, report=None)
        .returning(ImportUpload.id)
    )
    return len(session.scalars(statement).all())


def invoices_of_upload(session: Session, upload: ImportUpload, *, after: int = 0, limit: int) -> Sequence[Invoice]:
    """What it created, in the order of the file, beyond the invoice `after`."""
    if upload.first_invoice_id is None or upload.last_invoice_id is None:
        return ()
    query = select(Invoice).where(
        Invoice.id.between(max(upload.first_invoice_id, after + 1), upload.last_invoice_id),
        Invoice.created_at == upload.written_at,
    )
    query = query.options(joinedload(Invoice.client)).order_by(Invoice.id)
    return session.scalars(query.limit(limit)).all()
