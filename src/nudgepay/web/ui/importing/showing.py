"""`/import/{id}`: how far a file is, what it would do, what is wrong in it; then its import, and what that made."""

import io
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound
from nudgepay.invoices.exporting.writing import write_csv_file
from nudgepay.payments.uploads.actions import (
    ask_for_check,
    ask_for_import,
    discard_upload,
    invoices_of_upload,
    upload_by_id,
)
from nudgepay.payments.uploads.models import INVOICES, WAITING
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.importing.background import work_soon
from nudgepay.web.ui.importing.titles import title_of
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.problems import sentence
from nudgepay.web.ui.row_ids import RowId, row_id_of
from nudgepay.web.ui.words import N_

router = APIRouter()
ImportPage = Annotated[Page, allowed(Permission.INVOICE_IMPORT)]
SHOWN_FAULTS = 50
PAGE = 50
PASSED_OVER = {
    "paid": N_("paid already"),
    "void": N_("void"),
    "uncollectible": N_("written off"),
    "draft": N_("a draft"),
    "not_an_invoice": N_("no invoice"),
    "less_is_open_here": N_("less is open here than the file says"),
}


@router.get("/import/{upload_id}", response_class=HTMLResponse)
def show(page: ImportPage, session: ReadSessionDep, upload_id: RowId, after: str = "") -> Response:
    """One page for every state; while work goes on, it asks again by itself."""
    upload = upload_by_id(session, upload_id, kind=INVOICES)
    if upload.state == "discarded":
        raise NotFound("this file was thrown away")
    if "hx-request" in page.request.headers and upload.state not in WAITING:
        return Response(headers={"HX-Redirect": f"/import/{upload_id}"})
    if upload.state == "choosing" and upload.error is None:
        return page.go(f"/import/{upload_id}/columns")
    made = invoices_of_upload(session, upload, after=row_id_of(after) or 0, limit=PAGE + 1)
    report = upload.report or {}
    return page.show(
        "importing/show.html",
        upload=upload,
        report=report,
        title=title_of(page, report["recognised"]) if report.get("recognised") else "",
        faults=[_told(page, fault) for fault in report.get("errors", [])[:SHOWN_FAULTS]],
        passed_over=[
            (PASSED_OVER.get(reason, reason.replace("_", " ")), count)
            for reason, count in report.get("passed_over", {}).items()
        ],
        made=made[:PAGE],
        next_url=f"/import/{upload_id}?after={made[PAGE - 1].id}#made" if len(made) > PAGE else None,
        today=page.now.astimezone(page.zone).date(),
    )


@router.get("/import/{upload_id}/errors.csv")
def errors(page: ImportPage, session: ReadSessionDep, upload_id: RowId) -> Response:
    """What is wrong, line by line, as a file that runs nothing."""
    report = upload_by_id(session, upload_id, kind=INVOICES).report or {}
    told = [_told(page, fault) for fault in report.get("errors", [])]
    rows = [(one["line"], one["column"], one["value"], one["what"]) for one in told]
    columns = [page.gettext(name) for name in (N_("Line"), N_("Column"), N_("Value"), N_("What to do"))]
    written = io.BytesIO()
    write_csv_file(written, columns, rows)
    headers = {"Content-Disposition": f'attachment; filename="import-{upload_id}-errors.csv"'}
    return Response(written.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _told(page: Page, fault: dict[str, Any]) -> dict[str, Any]:
    return {**fault, "what": sentence(page, fault["code"], fault["message"])}


@router.post("/import/{upload_id}/run")
def run(page: ImportPage, upload_id: RowId) -> Response:
    """Import it as it was checked; a second time changes nothing."""
    with page.runtime.db.transaction() as session:
        upload = ask_for_import(session, upload_id, actor=page.actor, kind=INVOICES)
        is_waiting, size = upload.state == "importing", upload.size
    if is_waiting:
        work_soon(page.runtime, upload_id, size=size)
    return page.go(f"/import/{upload_id}")


@router.post("/import/{upload_id}/check")
def check_again(page: ImportPage, upload_id: RowId) -> Response:
    """Read it on trial once more, in the same way."""
    with page.runtime.db.transaction() as session:
        size = ask_for_check(session, upload_id, kind=INVOICES).size
    work_soon(page.runtime, upload_id, size=size)
    return page.go(f"/import/{upload_id}")


@router.post("/import/{upload_id}/discard")
def discard(page: ImportPage, session: SessionDep, upload_id: RowId) -> Response:
    """Forget the file; the books know nothing of it."""
    discard_upload(session, upload_id, actor=page.actor, kind=INVOICES)
    return page.go("/import", told=page.gettext("The file is thrown away; nothing of it was imported."))
