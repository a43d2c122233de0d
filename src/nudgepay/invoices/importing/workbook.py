"""Rows of an .xlsx sheet, one after the other: real days and exact numbers, formulas by the value they had last."""

import itertools
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError  # nosec B405  # the name of an error; openpyxl parses with defusedxml

from openpyxl import load_workbook

from nudgepay.errors import UsageError
from nudgepay.invoices.importing.archive import refusal
from nudgepay.invoices.importing.cells import Broken, Cell, Record, exact
from nudgepay.invoices.importing.faults import RowFault, Unreadable
from nudgepay.invoices.importing.reading import CHUNK, MAX_COLUMNS

MAX_SHEET_ROWS = 1_048_576
_BATCH = 500
_LOOK = 50
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
_PADDED = re.compile(r"0{2,}")
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    ParseError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What openpyxl raises for a workbook that is not as it should be."""


class Workbook:
    """An open workbook with one chosen sheet. Keeps little of it in memory; close it."""

    def __init__(self, stream: BinaryIO, sheet: str | None) -> None:
        """Chooses the sheet named, or the first visible one that holds a table. Raises Unreadable, UsageError."""
        self._books = [_opened(stream, data_only=True)]
        try:
            if _has_formulas(stream):
                self._books.append(_opened(stream, data_only=False))
            self.sheet = _chosen(self._books[0], sheet)
            self.sheets = tuple(str(found.title) for found in self._books[0].worksheets)
        except BaseException:
            self.close()
            raise

    def records(self) -> Iterator[Record]:
        """The rows that are not blank, with the sheet's own numbers."""
        read = [_rows(book[self.sheet]) for book in self._books]
        rows = zip(*read, strict=False) if len(read) > 1 else ((row, row) for row in read[0])
        for line, (values, formulas) in enumerate(_without_warnings(rows), start=1):
            if line > MAX_SHEET_ROWS:
                raise Unreadable(RowFault(line, "", "too_many_rows", "lies below the last row that a sheet can have"))
            width = _width(formulas)
            if width > MAX_COLUMNS:
                raise Unreadable(RowFault(line, "", "too_many_columns", f"more than {MAX_COLUMNS} columns"))
            record = Record(line, [_cell(values[at], formulas[at]) for at in range(width)])
            if not record.is_blank:
                yield record

    def close(self) -> None:
        """Let go of the file."""
        for book in self._books:
            book.close()


def _opened(stream: BinaryIO, *, data_only: bool) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return load_workbook(stream, read_only=True, data_only=data_only, keep_links=False)
        except _DAMAGE as error:
            raise _damaged() from error


def _has_formulas(stream: BinaryIO) -> bool:
    """A look for formula elements in pieces; only such workbooks are read twice side by side."""
    try:
        with zipfile.ZipFile(stream) as archive:
            names = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
            return any(_holds_formula(archive, name) for name in names)
    except _DAMAGE as error:
        raise _damaged() from error


def _holds_formula(archive: zipfile.ZipFile, name: str) -> bool:
    with archive.open(name) as part:
        tail = b""
        while piece := part.read(CHUNK):
            if _FORMULA.search(tail + piece):
                return True
            tail = piece[-16:]
    return False


def _damaged() -> Unreadable:
    return refusal("not_xlsx", "is a damaged workbook; save it again as .xlsx or CSV")


def _chosen(book: Any, sheet: str | None) -> str:
    names = [found.title for found in book.worksheets]
    if sheet is not None:
        if sheet not in names:
            raise UsageError(f"--sheet {sheet}: the workbook has {', '.join(names) or 'no sheet'}")
        return sheet
    for found in book.worksheets:
        if found.sheet_state == "visible" and _holds_table(found):
            return str(found.title)
    raise Unreadable(RowFault(1, "", "empty", "no visible sheet holds a table; name one with --sheet"))


def _holds_table(sheet: Any) -> bool:
    first = itertools.islice(_without_warnings(_rows(sheet)), _LOOK)
    return any(sum(cell.value not in {None, ""} for cell in row) >= 2 for row in first)


def _rows(sheet: Any) -> Iterator[Any]:
    sheet.reset_dimensions()  # what the sheet says of its own size may be a lie
    return iter(sheet.iter_rows())


def _without_warnings(rows: Iterator[Any]) -> Iterator[Any]:
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                batch = list(itertools.islice(rows, _BATCH))
            except _DAMAGE as error:
                raise _damaged() from error
        if not batch:
            return
        yield from batch


def _cell(found: Any, formula: Any) -> Cell:
    value = found.value
    if value is None:
        if formula.data_type == "f":
            return Broken("no_value", "is a formula without a stored value; open the file, save it, or paste values")
        return ""
    if found.data_type == "e":
        return Broken("cell_error", f"shows the error {value}; correct it in the spreadsheet")
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return _number(value, found)
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else str(value)


def _number(value: int | float, found: Any) -> Decimal | str:
    if isinstance(value, int) and _PADDED.fullmatch(found.number_format or ""):
        return str(value).zfill(len(found.number_format))
    return exact(value)


def _width(row: Sequence[Any]) -> int:
    """Up to the last cell that holds anything; spreadsheets also store empty ones, for their colour."""
    return next((at for at in range(len(row), 0, -1) if row[at - 1].value is not None), 0)
