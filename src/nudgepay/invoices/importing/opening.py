"""A file, whatever its kind, as records one after the other; it is never held in memory as a whole."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from nudgepay.errors import UsageError
from nudgepay.invoices.importing.archive import ensure_harmless, is_workbook
from nudgepay.invoices.importing.cells import Record
from nudgepay.invoices.importing.reading import CHUNK, encoding_of, ensure_size, read_records
from nudgepay.invoices.importing.workbook import Workbook


@dataclass(frozen=True, slots=True)
class Opened:
    """A readable file. `encoding` is that of a CSV file, `sheet` one of a workbook's `sheets`.

    `digest` is SHA-256 in hex.
    """

    records: Iterator[Record]
    digest: str
    encoding: str = ""
    sheet: str = ""
    sheets: tuple[str, ...] = ()


@contextmanager
def open_records(raw: bytes | Path, *, sheet: str | None = None) -> Iterator[Opened]:
    """The records of a CSV file or of one sheet of a workbook. Raises Unreadable; UsageError for a wrong sheet."""
    with _stream(raw) as stream:
        ensure_size(stream.seek(0, io.SEEK_END))
        stream.seek(0)
        digest = _digest(stream)
        stream.seek(0)
        head = stream.read(8)
        stream.seek(0)
        if is_workbook(head):
            ensure_harmless(stream)
            book = Workbook(stream, sheet)
            try:
                yield Opened(book.records(), digest, sheet=book.sheet, sheets=book.sheets)
            finally:
                book.close()
            return
        if sheet is not None:
            raise UsageError("--sheet is for .xlsx workbooks; this file is none")
        encoding = encoding_of(stream)
        text = io.TextIOWrapper(stream, encoding, newline="")
        try:
            yield Opened(read_records(text), digest, encoding=encoding)
        finally:
            text.detach()


def _stream(raw: bytes | Path) -> BinaryIO:
    return io.BytesIO(raw) if isinstance(raw, bytes) else raw.open("rb")


def _digest(stream: BinaryIO) -> str:
    found = hashlib.sha256()
    while piece := stream.read(CHUNK):
        found.update(piece)
    return found.hexdigest()
