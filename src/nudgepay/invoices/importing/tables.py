"""Rows by column name, below a header that is known: headings and totals of a report are taken out."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nudgepay.invoices.importing.cells import Cell, Record, as_text
from nudgepay.invoices.importing.layouts import GROUP, Layout
from nudgepay.invoices.importing.reading import ensure_shape


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row by column name; `line` as the file's own program counts."""

    line: int
    cells: Mapping[str, Cell]


def table_rows(
    records: Iterable[Record], names: Sequence[str], layout: Layout, *, number_columns: Collection[str] = ()
) -> Iterator[TableRow]:
    """The rows of the table; raises Unreadable at the first record that breaks it.

    In a report, a row without an invoice number is a heading when it has one cell, and a total when it says so.
    """
    header = list(names)
    group: Cell = ""
    number = 0
    for record in records:
        cells = dict(zip(header, record.cells, strict=False))
        if layout.is_report and not any(_filled(cells.get(name, "")) for name in number_columns):
            if _is_heading(record):
                group = record.cells[0]
                continue
            if _is_total(record):
                group = ""
                continue
        number += 1
        ensure_shape(record, header, number)
        if layout.is_grouped:
            cells[GROUP] = group
        yield TableRow(record.line, cells)


def _filled(cell: Cell) -> bool:
    return bool(as_text(cell).strip())


def _is_total(record: Record) -> bool:
    return as_text(record.cells[0]).strip().casefold().startswith("total")


def _is_heading(record: Record) -> bool:
    first, *rest = record.cells
    return _filled(first) and not any(_filled(cell) for cell in rest) and not _is_total(record)
