"""Rows into CSV, XLSX or JSON, one after the other."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, BinaryIO, TextIO

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from nudgepay.invoices.exporting.cells import Value, csv_text, is_risky, plain_text

MAX_XLSX_ROWS = 1_048_575
MAX_XLSX_TEXT = 32_767


def write_csv(stream: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> int:
    """Write header and rows; returns how many rows."""
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([csv_text(value) for value in row])
        count += 1
    return count


def write_csv_file(stream: BinaryIO, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> int:
    """The same into a file in UTF-8, with the mark by which spreadsheet programs know it."""
    text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    count = write_csv(text, columns, rows)
    text.detach()
    return count


def write_xlsx(stream: BinaryIO, name: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> int:
    """One sheet: text is text whatever it begins with, amounts are numbers, days are days."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(name)
    sheet.freeze_panes = "A2"
    sheet.append(list(columns))
    count = 0
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])
        count += 1
    book.save(stream)
    return count


def write_json(stream: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> int:
    """One JSON list of objects, written as the rows come; amounts are strings, so that no reader rounds them."""
    count = 0
    stream.write("[")
    for row in rows:
        stream.write(",\n" if count else "\n")
        stream.write(json_row(columns, row))
        count += 1
    stream.write("\n]\n")
    return count


def json_row(columns: Sequence[str], row: Sequence[Value]) -> str:
    """One row as a JSON object."""
    named = {name: _json(value) for name, value in zip(columns, row, strict=True)}
    return json.dumps(named, ensure_ascii=False)


def _json(value: Value) -> str | int | None:
    return value if value is None or isinstance(value, str | int) else plain_text(value)


def _cell(sheet: Any, value: Value) -> Any:
    if isinstance(value, datetime):
        value = value.astimezone(UTC).replace(tzinfo=None)
    if not isinstance(value, str):
        cell = WriteOnlyCell(sheet, value)
        if isinstance(value, Decimal):
            cell.number_format = "0." + "0" * places if (places := -int(value.as_tuple().exponent)) > 0 else "0"
        return cell
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("\ufffd", value)[:MAX_XLSX_TEXT])
    cell.data_type = "s"  # a text that begins with = would be written as a formula
    cell.quotePrefix = is_risky(value)
    return cell
