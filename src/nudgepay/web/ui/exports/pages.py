"""`/exports` and `/exports/{table}/download`: what a person, or a program with a token, may take away."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import text
from starlette.responses import HTMLResponse, Response, StreamingResponse

from nudgepay import audit
from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound, UsageError
from nudgepay.invoices.exporting.tables import CLIENTS, INVOICES
from nudgepay.nudges.exporting import LETTERS
from nudgepay.payments.exporting import PAYMENTS
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.callers import Caller, allowed_to_programs
from nudgepay.web.ui.exports.streams import TYPES, file_of
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.words import N_

router = APIRouter()
ExportPage = Annotated[Page, allowed(Permission.BOOKS_EXPORT)]
Taking = Annotated[Caller, allowed_to_programs(Permission.BOOKS_EXPORT)]
TABLES = {table.name: table for table in (CLIENTS, INVOICES, PAYMENTS, LETTERS)}
WORDS = {
    "clients": (N_("Clients"), N_("Each client with the people who are written to."), "client"),
    "invoices": (N_("Invoices"), N_("In the columns of the import: the file can be read in again."), "invoice"),
    "payments": (N_("Payments"), N_("Every payment, refund and credit, with the invoices it counts for."), "money"),
    "letters": (N_("Letters"), N_("What went where and when, and what became of it; not their text."), "letter"),
}
KINDS = {"csv": N_("CSV"), "xlsx": N_("Workbook"), "json": N_("JSON")}


@router.get("/exports", response_class=HTMLResponse)
def exports(page: ExportPage, session: ReadSessionDep) -> Response:
    """What there is to take away, and how a program takes it."""
    is_empty = session.scalar(text("SELECT NOT EXISTS (SELECT FROM clients)"))
    base = page.runtime.settings.base_url.rstrip("/")
    return page.show("exports/exports.html", tables=WORDS, kinds=KINDS, base=base, is_empty=is_empty)


@router.get("/exports/{table}/download")
def download(table: str, caller: Taking, format: Annotated[str, Query(max_length=10)] = "csv") -> Response:
    """The whole table as it stands. Who took it is written down before the first byte leaves."""
    if table not in TABLES:
        raise NotFound(f"there is no such export; there are {', '.join(TABLES)}")
    if format not in TYPES:
        raise UsageError(f"format: say {', '.join(TYPES)}")
    with caller.runtime.db.transaction() as session:
        after = {"format": format}
        audit.record(session, actor=caller.actor, action="export.run", subject=f"table:{table}", after=after)
    content = file_of(caller.runtime, TABLES[table], {}, kind=format, may_read=caller.still_may)
    headers = {"Content-Disposition": f'attachment; filename="{table}-{caller.now.date()}.{format}"'}
    return StreamingResponse(content, media_type=TYPES[format], headers=headers)
