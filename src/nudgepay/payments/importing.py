"""A file becomes clients, invoices and what was paid already: all of it or nothing; the same file again, nothing."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from nudgepay.db import Database
from nudgepay.invoices.importing.recognising import Wishes
from nudgepay.invoices.importing.rows import Defaults, InvoiceRow
from nudgepay.invoices.importing.saved import saved_layouts
from nudgepay.invoices.importing.understanding import Understood, understand
from nudgepay.payments.import_settling import settle_passed
from nudgepay.payments.rows import ImportReport, write_rows

__all__ = ["ImportReport", "run_import"]
PREVIEWED = 10


def run_import(
    db: Database,
    raw: bytes | Path,
    *,
    defaults: Defaults,
    now: datetime,
    actor: str,
    locale: str | None = None,
    mapping: Mapping[str, str] | None = None,
    saved: str | None = None,
    preset: str | None = None,
    sheet: str | None = None,
    release: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
    first: Callable[[Session], None] = lambda session: None,
    then: Callable[[Session, ImportReport], None] = lambda session, report: None,
) -> ImportReport:
    """Read the file and, unless any row has a fault, write it in one transaction.

    `mapping` is the file's column names to fields, `saved` the name of a saved mapping, `preset` that of a known
    export; without any of them the columns decide. Invoices that are overdue already wait for a person's release
    unless `release`. A dry run writes nothing. `first` and `then` belong to the transaction that writes. Raises
    UsageError for missing columns; faults of rows are reported.
    """
    with db.transaction() as session:
        layouts = saved_layouts(session)
    wishes = Wishes(mapping or {}, saved, preset, sheet)
    found = understand(raw, defaults=defaults, locale=locale, wishes=wishes, saved=layouts, progress=progress)
    report = _report(found)
    if report.errors:
        return report

    def settle_first(session: Session) -> None:
        first(session)
        settled, over = settle_passed(session, found.passed, now=now, actor=actor)
        report.updated += settled
        report.passed_over |= over

    write_rows(
        db,
        found.invoices,
        report,
        subject=f"file:{found.digest[:16]}",
        now=now,
        actor=actor,
        release=release,
        dry_run=dry_run,
        progress=progress,
        first=settle_first,
        then=lambda session: then(session, report),
    )
    return report


def _report(found: Understood) -> ImportReport:
    return ImportReport(
        rows=found.rows,
        encoding=found.encoding,
        sheet=found.sheet,
        recognised=found.recognised,
        title=found.title,
        remark=found.remark,
        preview=found.invoices[:PREVIEWED],
        errors=found.faults,
        totals=_totals(found.invoices),
    )


def _totals(rows: Iterable[InvoiceRow]) -> dict[str, tuple[int, int, int]]:
    found: dict[str, tuple[int, int, int]] = {}
    for row in rows:
        count, claimed, is_open = found.get(row.currency, (0, 0, 0))
        found[row.currency] = count + 1, claimed + row.amount, is_open + row.amount - row.amount_paid
    return found
