"""`nudgepay statements`: what the bank says has come, matched to invoices, and booked by a person's word only."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json, say
from nudgepay.cli.importing import show_faults
from nudgepay.cli.mappings import pairs
from nudgepay.cli.tables import print_table

if TYPE_CHECKING:
    from nudgepay.runtime import Runtime

app = typer.Typer(no_args_is_help=True, help="Bank statements: proposals that a person confirms.")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Line = Annotated[int, typer.Argument(help="The line's id, from `statements list`.")]
MOST_SHOWN = 100


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A camt.053 or CSV file of the bank.")],
    mapping: Annotated[
        list[str] | None, typer.Option("--map", help="COLUMN=FIELD for a CSV file of another bank.")
    ] = None,
    locale: Annotated[str | None, typer.Option(help="Whose decimal and date conventions a CSV file follows.")] = None,
    currency: Annotated[str, typer.Option(help="The currency of a CSV file that does not name it.")] = "",
    account: Annotated[str, typer.Option(help="The account of a CSV file that does not name it.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything; keep nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Keep a statement's lines: all or none, each once; the same file again adds nothing."""
    from nudgepay.payments.statements.storing import import_statement

    with open_runtime() as runtime:
        report = import_statement(
            runtime.db,
            file.read_bytes(),
            now=instant(None),
            actor=actor(),
            mapping=pairs(mapping or []),
            locale=locale,
            currency=currency,
            account=account,
            dry_run=dry_run,
            name=file.name,
        )
    if as_json:
        print_json(report.document())
    elif report.errors:
        show_faults(report.errors)
    else:
        verb = "would be" if dry_run else "are"
        print(
            f"{report.format}: {report.kept} lines {verb} kept, {report.known} were known already;"
            f" {report.debits} debits and {report.pending} that are not booked yet were passed over."
        )
        print("See what waits: nudgepay statements list")
    if report.errors:
        raise typer.Exit(1)


@app.command("list")
def list_waiting(
    everything: Annotated[bool, typer.Option("--all", help="Decided lines too.")] = False,
    as_json: Json = False,
) -> None:
    """Lines that wait, oldest first, each with what it may be."""
    from nudgepay.cli.statement_views import document, row
    from nudgepay.payments.statements.queries import list_lines

    with open_runtime() as runtime, runtime.db.transaction() as session:
        found = list_lines(session, now=instant(None), everything=everything)
        if as_json:
            print_json([document(one) for one in found])
            return
        rows = [row(one) for one, _ in zip(found, range(MOST_SHOWN), strict=False)]
    columns = ["line>", "booked", "amount>", "from", "purpose", "is", "proposal"]
    print_table("Bank lines", columns, rows, empty="Nothing waits. Read a statement: nudgepay statements import FILE")
    if len(rows) == MOST_SHOWN:
        say(f"The first {MOST_SHOWN}; all of them: --json")


@app.command()
def confirm(
    line: Annotated[int | None, typer.Argument(help="The line's id; none with --sure.")] = None,
    parts: Annotated[
        list[str] | None, typer.Argument(help="NUMBER=AMOUNT for each invoice; without, as proposed.")
    ] = None,
    sure: Annotated[bool, typer.Option("--sure", help="Every line whose proposal is sure.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    credit: Annotated[bool, typer.Option("--credit", help="What is too much becomes the client's credit.")] = False,
    again: Annotated[bool, typer.Option("--again", help="It is another payment than the one like it.")] = False,
) -> None:
    """Book a line as a payment, as proposed or as NUMBER=AMOUNT says. Without a person's word nothing is booked."""
    from nudgepay.errors import UsageError

    if sure == (line is not None):
        raise UsageError("name one line, or say --sure")
    with open_runtime() as runtime:
        if line is None:
            _confirm_sure(runtime, yes=yes)
        else:
            _confirm_one(runtime, line, parts or [], yes=yes, credit=credit, again=again)


def _confirm_one(runtime: "Runtime", line: int, texts: list[str], *, yes: bool, credit: bool, again: bool) -> None:
    from nudgepay.cli.statement_views import describe, targets_of
    from nudgepay.payments.bank import Booked
    from nudgepay.payments.statements.actions import confirm_line, ensure_waiting, parse_parts
    from nudgepay.payments.statements.queries import propose_one

    with runtime.db.transaction() as session:
        listed = propose_one(session, line, now=instant(None))
        ensure_waiting(listed.line)
        targets = parse_parts(session, line, texts) if texts else targets_of(listed)
        lines = describe(session, listed, targets)
    for told in lines:
        print(told)
    if not yes:
        typer.confirm("Book it so?", abort=True)
    with runtime.db.transaction() as session:
        fact = confirm_line(session, line, targets, now=instant(None), actor=actor(), credit=credit, again=again)
        lines = Booked(fact.id).lines(session)
    print(f"Payment {fact.id} is booked. Take it back with: nudgepay payments undo {fact.id}")
    for told in lines:
        print(f"  {told}")


def _confirm_sure(runtime: "Runtime", *, yes: bool) -> None:
    """Every sure line, after one look at all of them."""
    from nudgepay.cli.statement_views import row
    from nudgepay.payments.statements.booking import book_each, wanted_of
    from nudgepay.payments.statements.queries import list_lines

    with runtime.db.transaction() as session:
        found = [one for one in list_lines(session, now=instant(None)) if one.is_sure]
    columns = ["line>", "booked", "amount>", "from", "purpose", "is", "proposal"]
    print_table("Sure", columns, [row(one) for one in found], empty="No line is sure.")
    if found and not yes:
        typer.confirm(f"Book these {len(found)} payments?", abort=True)
    outcomes = book_each(runtime.db, [wanted_of(one) for one in found], now=instant(None), actor=actor())
    refused = [one for one in outcomes if one.refusal is not None]
    for one in refused:
        say(f"line {one.line_id}: {one.refusal}")
    print(f"{len(found) - len(refused)} payments are booked, {len(refused)} are not.")
    if refused:
        raise typer.Exit(1)


@app.command()
def ignore(
    line: Line,
    reason: Annotated[str | None, typer.Option(help="Why, in a few words.")] = None,
) -> None:
    """The line is no payment of an invoice."""
    from nudgepay.payments.statements.actions import ignore_line

    with open_runtime() as runtime, runtime.db.transaction() as session:
        ignore_line(session, line, now=instant(None), actor=actor(), reason=reason)
    print(f"Line {line} is ignored. Take it up again with: nudgepay statements reopen {line}")


@app.command()
def reopen(line: Line) -> None:
    """Take an ignored line up again."""
    from nudgepay.payments.statements.actions import take_up_line

    with open_runtime() as runtime, runtime.db.transaction() as session:
        take_up_line(session, line, actor=actor())
    print(f"Line {line} waits again: nudgepay statements confirm {line}")
