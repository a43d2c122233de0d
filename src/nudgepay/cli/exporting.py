"""`nudgepay export`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nudgepay.cli.context import actor, open_runtime, say

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from nudgepay.invoices.exporting.cells import Table


def export(
    what: Annotated[str, typer.Argument(help="clients, invoices, payments or letters.")],
    xlsx: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a workbook.")] = None,
    csv: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a CSV file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """The books as a file that a spreadsheet opens safely; without a file, CSV on standard output.

    An export of invoices can be imported again and changes nothing.
    """
    from nudgepay import audit
    from nudgepay.errors import UsageError
    from nudgepay.invoices.exporting.tables import CLIENTS, INVOICES
    from nudgepay.nudges.exporting import LETTERS
    from nudgepay.payments.exporting import PAYMENTS

    tables = {table.name: table for table in (CLIENTS, INVOICES, PAYMENTS, LETTERS)}
    if what not in tables:
        raise UsageError(f"{what!r} cannot be exported; say one of {', '.join(tables)}")
    if sum((xlsx is not None, csv is not None, as_json)) > 1:
        raise UsageError("say only one of --xlsx, --csv and --json")
    with open_runtime() as runtime, runtime.db.transaction() as session:
        count = _write(session, tables[what], xlsx=xlsx, csv=csv, as_json=as_json, force=force)
        audit.record(session, actor=actor(), action="export.run", subject=f"table:{what}", after={"rows": count})
    if xlsx or csv:
        say(f"{count} rows of {what} are in {xlsx or csv}.")


def _write(
    session: "Session", table: "Table", *, xlsx: Path | None, csv: Path | None, as_json: bool, force: bool
) -> int:
    from nudgepay.invoices.exporting.files import whole_file
    from nudgepay.invoices.exporting.streaming import stream_rows
    from nudgepay.invoices.exporting.writing import write_csv, write_csv_file, write_json, write_xlsx

    with stream_rows(session, table) as rows:
        if xlsx is not None:
            with whole_file(xlsx, force=force) as stream:
                return write_xlsx(stream, table.name, table.columns, rows)
        if csv is not None:
            with whole_file(csv, force=force) as stream:
                return write_csv_file(stream, table.columns, rows)
        return (write_json if as_json else write_csv)(sys.stdout, table.columns, rows)
