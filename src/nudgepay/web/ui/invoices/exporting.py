"""`POST /invoices/export`: the list as a file that a spreadsheet opens safely. What leaves is written down."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import Response, StreamingResponse

from nudgepay import audit
from nudgepay.access.permissions import Permission
from nudgepay.errors import UsageError
from nudgepay.nudges.invoice_export import invoices_as_listed
from nudgepay.nudges.invoice_filters import Filters
from nudgepay.nudges.invoice_list import list_values
from nudgepay.web.ui.exports.streams import TYPES, file_of
from nudgepay.web.ui.invoices.listing import today_of
from nudgepay.web.ui.invoices.saved_views import filters_of
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.streaming import while_allowed

router = APIRouter()
OFFERED = ("csv", "xlsx")


@router.post("/invoices/export")
def export(
    page: Annotated[Page, allowed(Permission.BOOKS_EXPORT)],
    format: Annotated[str, Form(max_length=10)] = "csv",  # the field's name
    query: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """CSV as the rows come; a workbook when it is complete. The audit log keeps which filters, never their words."""
    if format not in OFFERED:
        raise UsageError("format: say csv or xlsx")
    filters = filters_of(query)
    told = {"format": format, "status": filters.status, "by": sorted(_used(filters))}
    with page.runtime.db.transaction() as session:
        audit.record(session, actor=page.actor, action="export.run", subject="table:invoices", after=told)
    today = today_of(page)
    values = list_values(filters, today=today)
    content = file_of(page.runtime, invoices_as_listed(filters), values, kind=format)
    name = f"invoices-{today}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    content = while_allowed(page, Permission.BOOKS_EXPORT, content)
    return StreamingResponse(content, media_type=TYPES[format], headers=headers)


def _used(filters: Filters) -> set[str]:
    names = ("q", "currency", "age", "client", "reason", "money_state")
    return {name for name in names if getattr(filters, name)}
