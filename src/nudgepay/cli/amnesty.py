"""`nudgepay amnesty`: what waits for a person after an import."""

from typing import Annotated

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json
from nudgepay.cli.tables import print_table

amnesty = typer.Typer(no_args_is_help=True, help="Imported overdue invoices that wait for a person's word.")
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


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
