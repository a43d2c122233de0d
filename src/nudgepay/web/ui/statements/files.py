"""`/payments/statements/files/{id}`: how far a statement's file is, what is wrong in it, what it would bring."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound
from nudgepay.payments.uploads.actions import upload_by_id
from nudgepay.payments.uploads.models import STATEMENT, WAITING, ImportUpload
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.files.acts import file_acts
from nudgepay.web.ui.files.faults import SHOWN, told_faults
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.row_ids import RowId
from nudgepay.web.ui.statements.paths import FILES, HOME, statement_path
from nudgepay.web.ui.statements.words import format_title

router = APIRouter()
router.routes.extend(file_acts(FILES, kind=STATEMENT, permission=Permission.PAYMENT_WRITE, home=HOME).routes)
StatementPage = Annotated[Page, allowed(Permission.PAYMENT_WRITE)]


@router.get(FILES + "/{upload_id}", response_class=HTMLResponse)
def show(page: StatementPage, session: ReadSessionDep, upload_id: RowId) -> Response:
    """One page for every state; the statement itself once its lines are kept."""
    upload = upload_by_id(session, upload_id, kind=STATEMENT)
    path = f"{FILES}/{upload_id}"
    if upload.state == "discarded":
        raise NotFound("this file was thrown away")
    if "hx-request" in page.request.headers and upload.state not in WAITING:
        return Response(headers={"HX-Redirect": path})
    if upload.state == "choosing" and upload.error is None:
        return page.go(f"{path}/columns")
    report = upload.report or {}
    if upload.state == "done" and len(set(report["statements"])) == 1:
        return page.go(statement_path(report["statements"][0]), told=told_kept(page, upload))
    return page.show(
        "statements/file.html",
        upload=upload,
        path=path,
        report=report,
        told_kept=told_kept(page, upload) if upload.state == "done" else "",
        title=format_title(page, report["format"]) if report.get("format") else "",
        faults=told_faults(page, upload, limit=SHOWN),
        sample=[{**one, "booked_on": date.fromisoformat(one["booked_on"])} for one in report.get("sample", [])],
        is_table=not upload.name.lower().endswith(".xml"),
    )


def told_kept(page: Page, upload: ImportUpload) -> str:
    """What reading a file came to; that it was read before is said."""
    report = upload.report or {}
    if report["same_file"] and not report["kept"]:
        return page.gettext("This file was read before, byte for byte: nothing was added.")
    told = page.ngettext("%(count)s new line is kept.", "%(count)s new lines are kept.", report["kept"])
    told %= {"count": report["kept"]}
    if report["known"]:
        known = page.ngettext(
            "%(count)s was known from an earlier file.", "%(count)s were known from earlier files.", report["known"]
        )
        told = f"{told} {known % {'count': report['known']}}"
    return told
