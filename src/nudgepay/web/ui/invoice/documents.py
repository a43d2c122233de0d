"""The invoice's own PDF: put in its place, replaced, taken away; and the file that proves everything."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from nudgepay import audit
from nudgepay.access.permissions import Permission
from nudgepay.invoices.documents import NotAPdf, attach_document, detach_document
from nudgepay.invoices.queries import invoice_by_id
from nudgepay.readiness.evidence import file_name, gather_evidence, pack_evidence
from nudgepay.web.deps import SessionDep
from nudgepay.web.ui.invoice.acting import FieldsDep, answer, is_delete, locked_as_shown, tells_conflicts
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
DOCUMENT = "/invoices/{invoice_id:int}/document"
Writing = Annotated[Page, allowed(Permission.INVOICE_WRITE)]
Exporting = Annotated[Page, allowed(Permission.BOOKS_EXPORT)]


async def _file(request: Request) -> bytes:
    """The file of the form; empty where none was chosen."""
    form = await request.form()
    given = form.get("file")
    content = await given.read() if isinstance(given, UploadFile) else b""
    await form.close()
    return content


@router.post(DOCUMENT)
@tells_conflicts
def put(
    page: Writing, session: SessionDep, invoice_id: int, fields: FieldsDep, content: Annotated[bytes, Depends(_file)]
) -> Response:
    """Keep the PDF; another one replaces it under the same link."""
    if is_delete(fields):
        return remove(page=page, session=session, invoice_id=invoice_id, fields=fields)
    invoice = locked_as_shown(session, invoice_id, fields)
    try:
        attach_document(session, invoice, content, actor=page.actor)
    except NotAPdf:
        session.rollback()
        told = page.gettext("Nothing was kept: choose a complete PDF of at most 2 MB.")
        return page.go(f"/invoices/{invoice_id}", told=told, bad=True)
    return answer(
        page, invoice_id, {"document": True}, told=page.gettext("The PDF is kept; letters and pages link it.")
    )


@router.delete(DOCUMENT)
@tells_conflicts
def remove(page: Writing, session: SessionDep, invoice_id: int, fields: FieldsDep) -> Response:
    """Its link leads nowhere any more."""
    detach_document(session, locked_as_shown(session, invoice_id, fields), actor=page.actor)
    return answer(page, invoice_id, {"document": False}, told=page.gettext("The PDF is gone, and its link with it."))


@router.post("/invoices/{invoice_id:int}/evidence")
def evidence(page: Exporting, session: SessionDep, invoice_id: int) -> Response:
    """One file that proves what was sent, decided and paid. That it was taken is on record, too."""
    invoice = invoice_by_id(session, invoice_id)
    packed = pack_evidence(gather_evidence(session, invoice.number, now=page.now))
    audit.record(session, actor=page.actor, action="evidence.export", subject=f"invoices:{invoice.id}")
    headers = {"Content-Disposition": f'attachment; filename="{file_name(invoice.number)}"'}
    return Response(packed, media_type="application/zip", headers=headers)
