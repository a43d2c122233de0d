"""Rows of a table as they leave the server, a batch at a time."""

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.invoices.exporting.cells import Table, Value

BATCH = 1_000


def stream_rows(session: Session, table: Table) -> Iterator[list[Value]]:
    """The cells of every row, through a cursor on the server; memory holds one batch."""
    result = session.connection().execute(text(table.query), execution_options={"yield_per": BATCH})
    for row in result.mappings():
        yield table.values(dict(row))
