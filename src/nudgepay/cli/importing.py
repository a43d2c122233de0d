"""`nudgepay import` and `nudgepay amnesty`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json
from nudgepay.cli.tables import print_table

if TYPE_CHECKING:
    from nudgepay.config import Settings
    from nudgepay.db import Database
    from nudgepay.invoices.importing.faults import RowFault
    from nudgepay.payments.importing import ImportReport

amnesty = typer.Typer(no_args_is_help=True, help="Imported overdue invoices that wait for a person's word.")
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
MAX_SHOWN = 50


def column_mapping(items: list[str] | None) -> dict[str, str]:
    """`--map`, given as often as needed, as column to field; raises UsageError."""
    from nudgepay.errors import UsageError

    pairs = {}
    for item in items or []:
        column, sign, field = item.rpartition("=")
        if not sign:
            raise UsageError(f"--map {item}: write COLUMN=FIELD")
        pairs[column] = field
    return pairs


def show_faults(faults: "list[RowFault]") -> None:
    """The first faults of a file, by line and column."""
    shown = [(fault.line, fault.column, fault.message) for fault in faults[:MAX_SHOWN]]
    print_table(f"{len(faults)} faults; nothing was written", ["line>", "column", "what"], shown, empty="")


def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV file.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything; write nothing.")] = False,
    mapping: Annotated[list[str] | None, typer.Option("--map", help="COLUMN=FIELD, as often as needed.")] = None,
    locale: Annotated[str | None, typer.Option(help="Whose decimal and date conventions the file follows.")] = None,
    release: Annotated[bool, typer.Option("--release", help="Chase overdue invoices at once.")] = False,
    as_json: Json = False,
) -> None:
    """Clients and invoices from a file: all of it or nothing; the same file again changes nothing."""
    from rich.console import Console

    from nudgepay.invoices.importing.fields import Defaults
    from nudgepay.payments.importing import run_import

    pairs = column_mapping(mapping)
    with open_runtime() as runtime, Console(stderr=True).status("Reading ...") as status:
        settings = runtime.settings
        report = run_import(
            runtime.db,
            file.read_bytes(),
            defaults=Defaults(settings.business_locale, settings.business_timezone, settings.business_country),
            now=instant(None),
            actor=actor(),
            locale=locale,
            mapping=pairs,
            release=release,
            dry_run=dry_run,
            progress=lambda rows: status.update(f"{rows} rows ..."),
        )
    if as_json:
        print_json(report.document())
    elif report.errors:
        show_faults(report.errors)
    else:
        verb = "would be" if dry_run else "were"
        print(
            f"{report.rows} rows: {report.created} invoices {verb} created, {report.updated} updated,"
            f" {report.unchanged} are unchanged."
        )
        if report.waiting:
            print(f"{report.waiting} are overdue already and wait for you: nudgepay amnesty list")
    if report.errors:
        raise typer.Exit(1)


def load_into(
    file: Path, settings: "Settings", mapping: list[str] | None, locale: str | None
) -> Callable[["Database"], "ImportReport"]:
    """The import of one file, ready for any database."""
    from nudgepay.invoices.importing.fields import Defaults
    from nudgepay.payments.importing import run_import

    pairs = column_mapping(mapping)
    defaults = Defaults(settings.business_locale, settings.business_timezone, settings.business_country)

    def load(db: "Database") -> "ImportReport":
        return run_import(
            db,
            file.read_bytes(),
            defaults=defaults,
            now=instant(None),
            actor=actor(),
            locale=locale,
            mapping=pairs,
        )

    return load


@amnesty.command("list")
def waiting(as_json: Json = False) -> None:
    """Invoices that wait, oldest first."""
    from sqlalchemy import text

    from nudgepay.money import format_money

    query = text(
        "SELECT i.number, c.name AS client, i.amount_remaining, i.currency, i.due_on FROM invoices i"
        " JOIN clients c ON c.id = i.client_id WHERE i.amnesty_at IS NOT NULL AND i.status = 'open'"
        " ORDER BY i.due_on, i.id"
    )
    with open_runtime() as runtime, runtime.db.transaction() as session:
        rows = [dict(row) for row in session.execute(query).mappings()]
    if as_json:
        print_json(rows)
        return
    cells = [
        (row["number"], row["client"], format_money(row["amount_remaining"], row["currency"], "en"), row["due_on"])
        for row in rows
    ]
    print_table("Waiting for release", ["number", "client", "open>", "due"], cells, empty="Nothing waits.")


@amnesty.command()
def release(
    numbers: Annotated[list[str] | None, typer.Argument(help="Invoice numbers.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every waiting invoice.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Let waiting invoices be chased, after a look at what would go out."""
    from sqlalchemy import select

    from nudgepay.errors import UsageError
    from nudgepay.invoices.actions import release_amnesty
    from nudgepay.invoices.models import Invoice
    from nudgepay.invoices.queries import invoice_by_number

    if not numbers and not everything:
        raise UsageError("name invoices, or say --all")
    with open_runtime() as runtime:
        with runtime.db.transaction() as session:
            if everything:
                ids = list(session.scalars(select(Invoice.id).where(Invoice.amnesty_at.is_not(None))))
            else:
                ids = [invoice_by_number(session, number).id for number in numbers or []]
        if not yes:
            typer.confirm(f"{len(ids)} invoices will be chased from their next sending hours on. Go on?", abort=True)
        with runtime.db.transaction() as session:
            released = release_amnesty(session, ids, now=instant(None), actor=actor())
    print(f"{released} invoices are released. See: nudgepay plan")
