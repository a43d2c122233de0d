"""From bytes to rows: encoding, separator, quotes, and the caps that keep a file from eating the machine."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nudgepay.invoices.importing.faults import RowFault, Unreadable

MAX_BYTES = 10 * 1024 * 1024
MAX_ROWS = 50_000
MAX_COLUMNS = 200
MAX_FIELD = 10_000
SEPARATORS = ",;\t|"


@dataclass(frozen=True, slots=True)
class RawRow:
    """One record by column name, and the line on which it starts."""

    line: int
    cells: Mapping[str, str]


def decode(raw: bytes) -> tuple[str, str]:
    """The text and its encoding: a byte order mark decides, then UTF-8, then Windows-1252. Raises Unreadable."""
    if len(raw) > MAX_BYTES:
        raise Unreadable(RowFault(1, "", "too_large", f"the file is larger than {MAX_BYTES // 2**20} MB; split it"))
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return _decoded(raw, encoding)
    if b"\x00" in raw:
        line = raw[: raw.index(b"\x00")].count(b"\n") + 1
        raise Unreadable(RowFault(line, "", "nul", "holds a NUL byte; save the file as CSV in UTF-8"))
    try:
        return raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _decoded(raw, "cp1252")


def _decoded(raw: bytes, encoding: str) -> tuple[str, str]:
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        fault = RowFault(line, "", "encoding", f"is neither UTF-8 nor {encoding}; save the file as CSV in UTF-8")
        raise Unreadable(fault) from error
    if "\x00" in text:
        line = text[: text.index("\x00")].count("\n") + 1
        raise Unreadable(RowFault(line, "", "nul", "holds a NUL character; save the file as CSV in UTF-8"))
    return text, encoding


def read_rows(text: str) -> Iterator[RawRow]:
    """Records in order, blank lines passed over; raises Unreadable at the first line that breaks the table."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    header: list[str] | None = None
    rows = 0
    start = 1
    while True:
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise Unreadable(RowFault(start, "", "csv", f"is no CSV from here on: {error}")) from error
        if record is None:
            break
        line, start = start, reader.line_num + 1
        if not any(cell.strip() for cell in record):
            continue
        if header is None:
            header = _header(record, line)
            continue
        rows += 1
        if rows > MAX_ROWS:
            raise Unreadable(RowFault(line, "", "too_many_rows", f"more than {MAX_ROWS} rows; split the file"))
        yield _row(record, header, line)
    if header is None:
        raise Unreadable(RowFault(1, "", "empty", "the file holds no table"))


def _separator(text: str) -> str:
    first = text.lstrip("\r\n").split("\n", 1)[0]
    return max(SEPARATORS, key=lambda sign: (first.count(sign), -SEPARATORS.index(sign)))


def _header(record: list[str], line: int) -> list[str]:
    if len(record) > MAX_COLUMNS:
        raise Unreadable(RowFault(line, "", "too_many_columns", f"more than {MAX_COLUMNS} columns"))
    names = [cell.strip() for cell in record]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise Unreadable(RowFault(line, twice, "column_twice", "the column appears twice"))
    return names


def _row(record: list[str], header: list[str], line: int) -> RawRow:
    if len(record) > len(header):
        fault = RowFault(line, "", "too_many_cells", f"has {len(record)} cells under {len(header)} columns")
        raise Unreadable(fault)
    too_long = next((name for name, cell in zip(header, record, strict=False) if len(cell) > MAX_FIELD), None)
    if too_long is not None:
        raise Unreadable(RowFault(line, too_long, "too_long", f"is longer than {MAX_FIELD} characters"))
    return RawRow(line, dict(zip(header, record, strict=False)))
