"""`nudgepay import`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json
from nudgepay.cli.mappings import pairs
from nudgepay.cli.tables import print_table

if TYPE_CHECKING:
    from nudgepay.config import Settings
    from nudgepay.db import Database
    from nudgepay.invoices.importing.faults import RowFault
    from nudgepay.invoices.importing.rows import Defaults
    from nudgepay.payments.importing import ImportReport

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
MAX_SHOWN = 50


def show_faults(faults: "list[RowFault]") -> None:
    """The first faults of a file, by line and column."""
    shown = [(fault.line, fault.column, fault.message) for fault in faults[:MAX_SHOWN]]
    print_table(f"{len(faults)} faults; nothing was written", ["line>", "column", "what"], shown, empty="")


def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV file or an .xlsx workbook.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything; write nothing.")] = False,
    mapping: Annotated[list[str] | None, typer.Option("--map", help="COLUMN=FIELD, as often as needed.")] = None,
    saved: Annotated[str | None, typer.Option("--mapping", help="A saved mapping.")] = None,
    save_as: Annotated[str | None, typer.Option("--save-as", help="Keep --map under this name.")] = None,
    preset: Annotated[str | None, typer.Option("--as", help="A known export, or plain for none.")] = None,
    sheet: Annotated[str | None, typer.Option(help="The sheet of a workbook.")] = None,
    locale: Annotated[str | None, typer.Option(help="Whose decimal and date conventions the file follows.")] = None,
    currency: Annotated[str | None, typer.Option(help="Of rows that name none.")] = None,
    due_days: Annotated[
        int | None, typer.Option(min=0, max=365, help="Days from issue to due, where the file does not say.")
    ] = None,
    release: Annotated[bool, typer.Option("--release", help="Chase overdue invoices at once.")] = False,
    as_json: Json = False,
) -> None:
    """Clients and invoices from a file: all of it or nothing; the same file again changes nothing.

    Exports of Stripe, Xero, FreshBooks and QuickBooks Online are recognised by their columns.
    """
    from rich.console import Console

    from nudgepay.errors import UsageError
    from nudgepay.invoices.importing.saved import save_mapping
    from nudgepay.payments.importing import run_import

    columns = pairs(mapping or [])
    if save_as is not None and not columns:
        raise UsageError("--save-as keeps what --map says; give at least one --map COLUMN=FIELD")
    with open_runtime() as runtime, Console(stderr=True).status("Reading ...") as status:
        settings = runtime.settings
        report = run_import(
            runtime.db,
            file,
            defaults=import_defaults(settings, currency=currency, due_days=due_days),
            now=instant(None),
            actor=actor(),
            locale=locale,
            mapping=columns,
            saved=saved,
            preset=preset,
            sheet=sheet,
            release=release,
            dry_run=dry_run,
            progress=lambda rows: status.update(f"{rows} rows ..."),
        )
        if save_as is not None and not dry_run and not report.errors:
            with runtime.db.transaction() as session:
                save_mapping(session, name=save_as, columns=columns, locale=locale, currency=currency, actor=actor())
    _tell(report, dry_run=dry_run, as_json=as_json, locale=settings.business_locale)
    if columns and save_as is None and not report.errors and not as_json:
        print("To read the next file like this one by itself, say --save-as NAME.")
    if report.errors:
        raise typer.Exit(1)


def load_into(
    file: Path,
    settings: "Settings",
    *,
    columns: dict[str, str],
    locale: str | None,
    currency: str | None,
    due_days: int | None,
    preset: str | None,
) -> "Callable[[Database], ImportReport]":
    """The import of one file, ready for any database."""
    from nudgepay.payments.importing import run_import

    def load(db: "Database") -> "ImportReport":
        return run_import(
            db,
            file,
            defaults=import_defaults(settings, currency=currency, due_days=due_days),
            now=instant(None),
            actor=actor(),
            locale=locale,
            mapping=columns,
            preset=preset,
        )

    return load


def import_defaults(settings: "Settings", *, currency: str | None, due_days: int | None) -> "Defaults":
    """What a client or invoice has when a file does not say."""
    from nudgepay.invoices.importing.rows import Defaults
    from nudgepay.money import ensure_currency

    return Defaults(
        settings.business_locale,
        settings.business_timezone,
        settings.business_country,
        currency=ensure_currency(currency) if currency else None,
        due_days=due_days,
    )


def _tell(report: "ImportReport", *, dry_run: bool, as_json: bool, locale: str) -> None:
    if as_json:
        document = report.document()
        print_json({**document, "preview": _preview(report, locale)} if dry_run else document)
    elif report.errors:
        show_faults(report.errors)
    else:
        _tell_counts(report, dry_run=dry_run, locale=locale)


def _tell_counts(report: "ImportReport", *, dry_run: bool, locale: str) -> None:
    if dry_run:
        rows = [tuple(row.values()) for row in _preview(report, locale)]
        columns = ["line>", "client", "number", "due", "amount>", "paid>"]
        print_table("The first invoices, as understood", columns, rows, empty="No invoice in this file.")
    verb = "would be" if dry_run else "were"
    place = f", sheet {report.sheet}" if report.sheet else ""
    print(f"Read as {report.title}{place}.")
    if report.remark:
        print(report.remark)
    print(
        f"{report.rows} rows: {report.created} invoices {verb} created, {report.updated} updated,"
        f" {report.unchanged} are unchanged."
    )
    for reason, count in sorted(report.passed_over.items()):
        print(f"{count} passed over: {reason.replace('_', ' ')}")
    if report.waiting:
        print(f"{report.waiting} are overdue already and wait for you: nudgepay amnesty list")


def _preview(report: "ImportReport", locale: str) -> list[dict[str, object]]:
    from nudgepay.money import format_money

    return [
        {
            "line": row.line,
            "client": row.client_name,
            "number": row.invoice_number,
            "due": row.due_on,
            "amount": format_money(row.amount, row.currency, locale),
            "paid": format_money(row.amount_paid, row.currency, locale),
        }
        for row in report.preview
    ]
