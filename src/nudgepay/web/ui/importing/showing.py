"""`/import/{id}`: how far a file is, what it would do, what is wrong in it; then its import, and what that made."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound
from nudgepay.payments.uploads.actions import (
    invoices_of_upload,
    upload_by_id,
)
from nudgepay.payments.uploads.models import INVOICES, WAITING
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.files.acts import file_acts
from nudgepay.web.ui.files.faults import SHOWN, told_faults
from nudgepay.web.ui.importing.titles import title_of
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.row_ids import RowId, row_id_of
from nudgepay.web.ui.words import N_

router = APIRouter()
router.routes.extend(file_acts("/import", kind=INVOICES, permission=Permission.INVOICE_IMPORT, home="/import").routes)
ImportPage = Annotated[Page, allowed(Permission.INVOICE_IMPORT)]
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
        faults=told_faults(page, upload, limit=SHOWN),
        passed_over=[
            (PASSED_OVER.get(reason, reason.replace("_", " ")), count)
            for reason, count in report.get("passed_over", {}).items()
        ],
        made=made[:PAGE],
        next_url=f"/import/{upload_id}?after={made[PAGE - 1].id}#made" if len(made) > PAGE else None,
        today=page.now.astimezone(page.zone).date(),
    )
