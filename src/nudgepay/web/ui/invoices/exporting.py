"""`POST /invoices/export`: the list as a file that a spreadsheet opens safely. What leaves is written down."""

import csv
import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Form
from sqlalchemy import text
from starlette.responses import Response, StreamingResponse

from nudgepay import audit
from nudgepay.access.permissions import Permission
from nudgepay.errors import UsageError
from nudgepay.invoices.exporting.cells import Table, Value, csv_text
from nudgepay.invoices.exporting.streaming import stream_rows
from nudgepay.invoices.exporting.writing import write_xlsx
from nudgepay.nudges.invoice_export import invoices_as_listed
from nudgepay.nudges.invoice_filters import Filters
from nudgepay.nudges.invoice_list import list_values
from nudgepay.runtime import Runtime
from nudgepay.web.ui.invoices.listing import today_of
from nudgepay.web.ui.invoices.saved_views import filters_of
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.streaming import while_allowed

router = APIRouter()
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
MOST_ROWS = 100_000
MARK = "\ufeff"
"""By it spreadsheet programs know UTF-8."""
CHUNK = 64 * 1024
IN_MEMORY = 4 * 1024 * 1024


@router.post("/invoices/export")
def export(
    page: Annotated[Page, allowed(Permission.BOOKS_EXPORT)],
    format: Annotated[str, Form(max_length=10)] = "csv",  # the field's name
    query: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """CSV as the rows come; a workbook when it is complete. The audit log keeps which filters, never their words."""
    if format not in TYPES:
        raise UsageError("format: say csv or xlsx")
    filters = filters_of(query)
    told = {"format": format, "status": filters.status, "by": sorted(_used(filters))}
    with page.runtime.db.transaction() as session:
        audit.record(session, actor=page.actor, action="export.run", subject="table:invoices", after=told)
    today = today_of(page)
    values = list_values(filters, today=today)
    content = _csv(page.runtime, filters, values) if format == "csv" else _workbook(page.runtime, filters, values)
    name = f"invoices-{today}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    content = while_allowed(page, Permission.BOOKS_EXPORT, content)
    return StreamingResponse(content, media_type=TYPES[format], headers=headers)


def _used(filters: Filters) -> set[str]:
    names = ("q", "currency", "age", "client", "reason", "money_state")
    return {name for name in names if getattr(filters, name)}


@contextmanager
def _rows(runtime: Runtime, table: Table, values: Mapping[str, Any]) -> Iterator[Iterator[list[Value]]]:
    with runtime.db.transaction() as session:
        session.execute(text("SET TRANSACTION READ ONLY"))
        with stream_rows(session, table, values) as rows:
            yield rows


def _csv(runtime: Runtime, filters: Filters, values: Mapping[str, Any]) -> Iterator[bytes]:
    """A stream that breaks off, and never ends well, when the database does."""
    table = invoices_as_listed(filters)
    with _rows(runtime, table, values) as rows:
        written = io.StringIO(newline="")
        written.write(MARK)
        writer = csv.writer(written, lineterminator="\r\n")
        writer.writerow(table.columns)
        for row in rows:
            writer.writerow([csv_text(cell) for cell in row])
            if written.tell() > CHUNK:
                yield written.getvalue().encode()
                written.seek(0)
                written.truncate()
        yield written.getvalue().encode()


def _workbook(runtime: Runtime, filters: Filters, values: Mapping[str, Any]) -> Iterator[bytes]:
    """Raises UsageError before anything is sent when there are too many rows for a workbook."""
    table = invoices_as_listed(filters)
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  # it lives until it is sent
    with _rows(runtime, table, values) as rows:
        write_xlsx(cast(BinaryIO, file), table.name, table.columns, _few_enough(rows))
    file.seek(0)
    return _sent(file)


def _few_enough(rows: Iterator[list[Value]]) -> Iterator[list[Value]]:
    for number, row in enumerate(rows):
        if number == MOST_ROWS:
            raise UsageError(f"a workbook takes at most {MOST_ROWS} invoices: narrow the list, or take CSV")
        yield row


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk
