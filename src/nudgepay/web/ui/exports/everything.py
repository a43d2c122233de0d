"""`POST /exports/everything`: all of the books and every letter in one archive, once, on a second person's yes."""

import io
import tempfile
import zipfile
from typing import IO, Annotated

from fastapi import APIRouter, Form
from sqlalchemy import text
from sqlalchemy.orm import Session
from starlette.responses import Response, StreamingResponse

from nudgepay import audit
from nudgepay.access.acts import EXPORT_EVERYTHING
from nudgepay.access.approvals import consume
from nudgepay.access.permissions import Permission
from nudgepay.access.trust import NotCovered
from nudgepay.invoices.exporting.streaming import stream_rows
from nudgepay.invoices.exporting.writing import write_csv
from nudgepay.web.deps import SessionDep
from nudgepay.web.ui.approvals.asking import ask_second_person, ensure_fresh
from nudgepay.web.ui.exports.pages import TABLES
from nudgepay.web.ui.exports.streams import IN_MEMORY, sent
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
PATH = "/exports/everything"
ExportPage = Annotated[Page, allowed(Permission.BOOKS_EXPORT)]
LETTERS_AT_ONCE = 200


@router.post(PATH)
def everything(page: ExportPage, session: SessionDep, reason: Annotated[str, Form(max_length=2000)] = "") -> Response:
    """The archive, if a second person has said yes to it and nobody has used that yet; else the question."""
    ensure_fresh(page)
    try:
        approval_id = consume(session, EXPORT_EVERYTHING, {}, by=page.signed)
    except NotCovered:
        return ask_second_person(page, session, EXPORT_EVERYTHING, {}, why=reason, path=PATH)
    subject = f"approvals:{approval_id}"
    audit.record(session, actor=page.actor, action="export.everything", subject=subject)
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  # it lives until it is sent
    write_archive(session, file)
    file.seek(0)
    name = f"books-{page.now.date()}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(sent(file), media_type="application/zip", headers=headers)


def write_archive(session: Session, file: IO[bytes]) -> None:
    """A CSV file for each table, and each letter as it was handed to the relay."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, table in TABLES.items():
            with archive.open(f"{name}.csv", "w", force_zip64=True) as raw:
                written = io.TextIOWrapper(raw, "utf-8-sig", newline="")
                with stream_rows(session, table) as rows:
                    write_csv(written, table.columns, rows)
                written.flush()
                written.detach()
        query = text("SELECT id, mime FROM letters ORDER BY created_at, id")
        options = {"yield_per": LETTERS_AT_ONCE}
        with session.connection().execute(query, execution_options=options) as letters:
            for letter in letters:
                archive.writestr(f"letters/{letter.id}.eml", bytes(letter.mime))
