"""From bytes to records: encoding, separator, quotes, and the caps that keep a file from eating the machine."""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from nudgepay.invoices.importing.cells import Record
from nudgepay.invoices.importing.faults import RowFault, Unreadable

MAX_BYTES = 10 * 1024 * 1024
MAX_ROWS = 50_000
MAX_COLUMNS = 200
MAX_FIELD = 10_000
SEPARATORS = ",;\t|"
CHUNK = 64 * 1024
_TITLE_LINES = 25
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True, slots=True)
class RawRow:
    """One record by column name, and the line on which it starts."""

    line: int
    cells: Mapping[str, str]


def decode(raw: bytes) -> tuple[str, str]:
    """The text and its encoding: a byte order mark decides, then UTF-8, then Windows-1252. Raises Unreadable."""
    ensure_size(len(raw))
    encoding = encoding_of(io.BytesIO(raw))
    return raw.decode(encoding), encoding


def ensure_size(size: int) -> None:
    """Raises Unreadable when the file has more than MAX_BYTES bytes."""
    if size > MAX_BYTES:
        raise Unreadable(RowFault(1, "", "too_large", f"the file is larger than {MAX_BYTES // 2**20} MB; split it"))


def encoding_of(stream: BinaryIO) -> str:
    """The encoding in which the whole stream can be read; the stream is at its start again. Raises Unreadable."""
    head = stream.read(4)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return _ensure_decodes(stream, encoding)
    try:
        return _ensure_decodes(stream, "utf-8")
    except Unreadable as error:
        if error.fault.code != "encoding":
            raise
        return _ensure_decodes(stream, "cp1252")


def _ensure_decodes(stream: BinaryIO, encoding: str) -> str:
    """A pass in small pieces: every piece decodes, and none holds NUL."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    stream.seek(0)
    while True:
        piece = stream.read(CHUNK)
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            line += error.object[: error.start].count(b"\n")
            message = f"is neither UTF-8 nor {encoding}; save the file as CSV in UTF-8"
            raise Unreadable(RowFault(line, "", "encoding", message)) from error
        if "\x00" in text:
            line += text[: text.index("\x00")].count("\n")
            raise Unreadable(RowFault(line, "", "nul", "holds a NUL byte; save the file as CSV in UTF-8"))
        if not piece:
            stream.seek(0)
            return encoding
        line += text.count("\n")


def read_records(stream: TextIO) -> Iterator[Record]:
    """Records in order, blank lines passed over; raises Unreadable at the first line that is no CSV."""
    separator = _separator(stream.read(CHUNK))
    stream.seek(0)
    reader = csv.reader(stream, delimiter=separator, strict=True)
    start = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise Unreadable(RowFault(start, "", "csv", f"is no CSV from here on: {error}")) from error
        if cells is None:
            return
        record = Record(start, [*cells])
        start = reader.line_num + 1
        if not record.is_blank:
            yield record


def read_rows(text: str) -> Iterator[RawRow]:
    """Rows under the first line that is not blank; raises Unreadable at the first line that breaks the table."""
    records = read_records(io.StringIO(text, newline=""))
    first = next(records, None)
    if first is None:
        raise Unreadable(RowFault(1, "", "empty", "the file holds no table"))
    names = header_names(first)
    for number, record in enumerate(records, start=1):
        ensure_shape(record, names, number)
        yield RawRow(record.line, dict(zip(names, map(str, record.cells), strict=False)))


def header_names(record: Record) -> list[str]:
    """The column names; raises Unreadable when there are too many, or one appears twice."""
    if len(record.cells) > MAX_COLUMNS:
        raise Unreadable(RowFault(record.line, "", "too_many_columns", f"more than {MAX_COLUMNS} columns"))
    names = [str(cell).strip() for cell in record.cells]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise Unreadable(RowFault(record.line, twice, "column_twice", "the column appears twice"))
    return names


def ensure_shape(record: Record, names: list[str], number: int) -> None:
    """Raises Unreadable for a row too many (`number` counts from 1), too many cells, or a cell that is too long."""
    if number > MAX_ROWS:
        fault = RowFault(record.line, "", "too_many_rows", f"more than {MAX_ROWS} rows; split the file")
        raise Unreadable(fault)
    if len(record.cells) > len(names):
        message = f"has {len(record.cells)} cells under {len(names)} columns"
        raise Unreadable(RowFault(record.line, "", "too_many_cells", message))
    for name, cell in zip(names, record.cells, strict=False):
        if isinstance(cell, str) and len(cell) > MAX_FIELD:
            raise Unreadable(RowFault(record.line, name, "too_long", f"is longer than {MAX_FIELD} characters"))


def _separator(head: str) -> str:
    """The most frequent one of the first line that has any; lines of a title have none."""
    for line in head.lstrip("\r\n").split("\n")[:_TITLE_LINES]:
        found = max(SEPARATORS, key=lambda sign: (line.count(sign), -SEPARATORS.index(sign)))
        if line.count(found):
            return found
    return SEPARATORS[0]
