"""Rows of a table as they leave the server, a batch at a time."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.invoices.exporting.cells import Table, Value

BATCH = 1_000


@contextmanager
def stream_rows(
    session: Session, table: Table, values: Mapping[str, Any] | None = None
) -> Iterator[Iterator[list[Value]]]:
    """The cells of every row, through a cursor on the server that ends with the block; memory holds one batch.

    `values` are what the table's query wants bound.
    """
    query = text(table.query)
    with session.connection().execute(query, dict(values or {}), execution_options={"yield_per": BATCH}) as result:
        yield (table.values(dict(row)) for row in result.mappings())
