"""`nudgepay mailings`: thank-you letters, statements, digests and copies, and what became of them."""

import uuid
from typing import Annotated

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json
from nudgepay.cli.tables import print_table

app = typer.Typer(no_args_is_help=True, help="Mail that reminds nobody: thanks, statements, digests, copies.")
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="Only messages in this state.")] = None,
    kind: Annotated[str | None, typer.Option(help="thanks, statement, digest or copy.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: Json = False,
) -> None:
    """The newest messages first."""
    from nudgepay.nudges.mailings.listing import list_mailings

    with open_runtime() as runtime, runtime.db.transaction() as session:
        rows = list_mailings(session, state=state, kind=kind, limit=limit)
    if as_json:
        print_json(rows)
        return
    columns = ["kind", "state", "to", "at", "subject", "why", "id"]
    cells = [
        (
            row["kind"],
            row["state"],
            row["to"],
            row["sending_at"] or row["look_at"],
            row["subject"] or "",
            row["reason"] or "",
            row["id"],
        )
        for row in rows
    ]
    print_table("Messages", columns, cells, empty="None yet.")


@app.command()
def settle(
    mailing: Annotated[uuid.UUID, typer.Argument(help="The message's id, from `mailings list`.")],
    sent: Annotated[bool, typer.Option("--sent", help="It did leave.")] = False,
    resend: Annotated[bool, typer.Option("--resend", help="Send it again; it may arrive twice.")] = False,
) -> None:
    """A person's word on a message in doubt, or one that failed."""
    from nudgepay.errors import UsageError
    from nudgepay.nudges.mailings.doubt import order_resend, settle_as_sent

    if sent == resend:
        raise UsageError("say either --sent or --resend")
    settle_it = settle_as_sent if sent else order_resend
    with open_runtime() as runtime, runtime.db.transaction() as session:
        settle_it(session, mailing, now=instant(None), actor=actor())
    print("Settled." if sent else "It goes with the next run of send_mailings.")
