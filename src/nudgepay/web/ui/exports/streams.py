"""Rows of a table as the bytes of a file, as they come. A stream breaks off, and never ends well, when it must."""

import csv
import io
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import IO, Any, BinaryIO, cast

from sqlalchemy import text

from nudgepay import clock
from nudgepay.errors import UsageError
from nudgepay.invoices.exporting.cells import Table, Value, csv_text
from nudgepay.invoices.exporting.streaming import stream_rows
from nudgepay.invoices.exporting.writing import json_row, write_xlsx
from nudgepay.runtime import Runtime

TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}
MOST_ROWS = 100_000
MARK = "\ufeff"
"""By it spreadsheet programs know UTF-8."""
CHUNK = 64 * 1024
IN_MEMORY = 4 * 1024 * 1024
LOOK_SECONDS = 1.0
"""A stream asks this often whether its reader still may."""

MayRead = Callable[[], bool]


class NoLongerAllowed(Exception):
    """Who reads has lost the right to while reading: the answer has begun, so it breaks off."""


@contextmanager
def _rows(runtime: Runtime, table: Table, values: Mapping[str, Any]) -> Iterator[Iterator[list[Value]]]:
    with runtime.db.transaction() as session:
        session.execute(text("SET TRANSACTION READ ONLY"))
        with stream_rows(session, table, values) as rows:
            yield rows


def file_of(
    runtime: Runtime, table: Table, values: Mapping[str, Any], *, kind: str, may_read: MayRead = lambda: True
) -> Iterator[bytes]:
    """The whole table as one of TYPES. Raises UsageError for another kind, and for too many rows for a workbook."""
    if kind not in TYPES:
        raise UsageError(f"format: say {', '.join(TYPES)}")
    if kind == "xlsx":
        return _workbook(runtime, table, values)
    return _watched(_csv(runtime, table, values) if kind == "csv" else _json(runtime, table, values), may_read)


def _watched(parts: Generator[bytes, None, None], may_read: MayRead) -> Iterator[bytes]:
    looked = clock.monotonic()
    with closing(parts):
        for part in parts:
            if clock.monotonic() - looked > LOOK_SECONDS:
                if not may_read():
                    raise NoLongerAllowed("the right to read this was taken while it was read")
                looked = clock.monotonic()
            yield part


def _csv(runtime: Runtime, table: Table, values: Mapping[str, Any]) -> Generator[bytes, None, None]:
    with _rows(runtime, table, values) as rows:
        written = io.StringIO(newline="")
        written.write(MARK)
        writer = csv.writer(written, lineterminator="\r\n")
        writer.writerow(table.columns)
        for row in rows:
            writer.writerow([csv_text(cell) for cell in row])
            if written.tell() > CHUNK:
                yield _taken(written)
        yield _taken(written)


def _json(runtime: Runtime, table: Table, values: Mapping[str, Any]) -> Generator[bytes, None, None]:
    with _rows(runtime, table, values) as rows:
        written = io.StringIO()
        before = "["
        for row in rows:
            written.write(f"{before}\n{json_row(table.columns, row)}")
            before = ","
            if written.tell() > CHUNK:
                yield _taken(written)
        written.write("\n]\n" if before == "," else "[]\n")
        yield _taken(written)


def _taken(written: io.StringIO) -> bytes:
    part = written.getvalue().encode()
    written.seek(0)
    written.truncate()
    return part


def _workbook(runtime: Runtime, table: Table, values: Mapping[str, Any]) -> Iterator[bytes]:
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  # it lives until it is sent
    with _rows(runtime, table, values) as rows:
        write_xlsx(cast(BinaryIO, file), table.name, table.columns, _few_enough(rows))
    file.seek(0)
    return sent(file)


def _few_enough(rows: Iterator[list[Value]]) -> Iterator[list[Value]]:
    for number, row in enumerate(rows):
        if number == MOST_ROWS:
            raise UsageError(f"a workbook takes at most {MOST_ROWS} rows: narrow the list, or take CSV")
        yield row


def sent(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a file that is gone afterwards."""
    with file:
        while chunk := file.read(CHUNK):
            yield chunk
