"""A file becomes checked rows: opened, its header recognised, every fault with its line and column."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nudgepay.invoices.importing.columns import ensure_required, resolve
from nudgepay.invoices.importing.faults import RowFault, Unreadable
from nudgepay.invoices.importing.fields import RowReader
from nudgepay.invoices.importing.layouts import Layout
from nudgepay.invoices.importing.opening import Opened, open_records
from nudgepay.invoices.importing.recognising import Recognised, Wishes, recognise
from nudgepay.invoices.importing.rows import Defaults, InvoiceRow, PassedRow
from nudgepay.invoices.importing.tables import TableRow, table_rows

STEP = 1_000


@dataclass(slots=True)
class Understood:
    """What a file says. `rows` counts its rows; `recognised` names the layout and `title` what it stands for."""

    rows: int = 0
    invoices: list[InvoiceRow] = field(default_factory=list)
    passed: list[PassedRow] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)
    encoding: str = ""
    sheet: str = ""
    digest: str = ""
    recognised: str = ""
    title: str = ""
    remark: str = ""


def understand(
    raw: bytes | Path,
    *,
    defaults: Defaults,
    locale: str | None,
    wishes: Wishes,
    saved: Sequence[Layout],
    progress: Callable[[int], None],
) -> Understood:
    """Read the whole file, row by row. Raises UsageError for missing columns; faults of rows are in the answer."""
    found = Understood()
    reader: RowReader | None = None
    try:
        with open_records(raw, sheet=wishes.sheet) as opened:
            known = _recognised(opened, found, wishes=wishes, saved=saved)
            reader = _reader(known, locale=locale, defaults=defaults)
            numbers = resolve(known.layout, known.names).get("invoice_number", ())
            rows = table_rows(known.rows, known.names, known.layout, number_columns=numbers)
            for row in reader.read(_counted(rows, found, progress)):
                if isinstance(row, PassedRow):
                    found.passed.append(row)
                else:
                    found.invoices.append(row)
    except Unreadable as error:
        found.faults.append(error.fault)
    if reader is not None:
        found.faults = sorted([*reader.faults, *found.faults], key=lambda fault: fault.line)
    return found


def _recognised(opened: Opened, found: Understood, *, wishes: Wishes, saved: Sequence[Layout]) -> Recognised:
    found.encoding, found.sheet, found.digest = opened.encoding, opened.sheet, opened.digest
    known = recognise(opened.records, wishes=wishes, saved=saved)
    if opened.sheet:  # only a CSV export needs apostrophes: a workbook knows what is text
        known = replace(known, layout=replace(known.layout, is_quoted=False))
    found.recognised, found.title, found.remark = known.layout.name, known.layout.title, known.remark
    return known


def _reader(known: Recognised, *, locale: str | None, defaults: Defaults) -> RowReader:
    layout = known.layout
    columns = resolve(layout, known.names)
    if layout.currency and defaults.currency is None:
        defaults = replace(defaults, currency=layout.currency)
    given = {"client_email", "currency"} if layout.is_foreign else set()
    if defaults.currency is not None:
        given.add("currency")
    if defaults.due_days is not None or layout.is_foreign:
        given.add("due_on")
    ensure_required(columns, given=given)
    return RowReader(columns, layout=layout, locale=locale or layout.locale, defaults=defaults)


def _counted(rows: Iterable[TableRow], found: Understood, progress: Callable[[int], None]) -> Iterator[TableRow]:
    for row in rows:
        found.rows += 1
        if found.rows % STEP == 0:
            progress(found.rows)
        yield row
