"""A file becomes clients, invoices and what was paid already: all of it or nothing; the same file again, nothing."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from nudgepay.db import Database
from nudgepay.invoices.importing.faults import Unreadable
from nudgepay.invoices.importing.fields import Defaults, InvoiceRow, RowReader, column_names
from nudgepay.invoices.importing.reading import RawRow, decode, read_rows
from nudgepay.payments.rows import CHUNK, ImportReport, write_rows

__all__ = ["ImportReport", "run_import"]


def run_import(
    db: Database,
    raw: bytes,
    *,
    defaults: Defaults,
    now: datetime,
    actor: str,
    locale: str | None = None,
    mapping: Mapping[str, str] | None = None,
    release: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
) -> ImportReport:
    """Read the file and, unless any row has a fault, write it in one transaction.

    Invoices that are overdue already wait for a person's release unless `release`. A dry run writes nothing.
    Raises UsageError for missing columns; faults of rows are in the report.
    """
    report = ImportReport()
    rows = _read(raw, report, defaults=defaults, locale=locale, mapping=mapping or {}, progress=progress)
    if report.errors:
        return report
    write_rows(
        db,
        rows,
        report,
        subject=f"file:{hashlib.sha256(raw).hexdigest()[:16]}",
        now=now,
        actor=actor,
        release=release,
        dry_run=dry_run,
        progress=progress,
    )
    return report


def _read(
    raw: bytes,
    report: ImportReport,
    *,
    defaults: Defaults,
    locale: str | None,
    mapping: Mapping[str, str],
    progress: Callable[[int], None],
) -> list[InvoiceRow]:
    rows: list[InvoiceRow] = []
    reader: RowReader | None = None

    def counted(source: Iterable[RawRow]) -> Iterable[RawRow]:
        for row in source:
            report.rows += 1
            if report.rows % CHUNK == 0:
                progress(report.rows)
            yield row

    try:
        text, report.encoding = decode(raw)
        source = iter(read_rows(text))
        first = next(source, None)
        if first is None:
            return rows
        reader = RowReader(column_names(first.cells, mapping), locale=locale, defaults=defaults)
        rows.extend(reader.read(counted(_chain(first, source))))
    except Unreadable as error:
        report.errors.append(error.fault)
    if reader is not None:
        report.errors = sorted([*reader.faults, *report.errors], key=lambda fault: fault.line)
    return rows


def _chain(first: RawRow, rest: Iterable[RawRow]) -> Iterable[RawRow]:
    yield first
    yield from rest
