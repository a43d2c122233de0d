"""`nudgepay suppressions`: addresses that are written to no more."""

from typing import Annotated

import typer

from nudgepay.cli.context import actor, open_runtime, print_json
from nudgepay.cli.tables import print_table

suppressions = typer.Typer(no_args_is_help=True, help="Addresses that are written to no more.")
Address = Annotated[str, typer.Argument(help="The address.")]
Reason = Annotated[str, typer.Option(help="unsubscribed, bounced, complained or manual.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@suppressions.command("list")
def list_all(as_json: Json = False) -> None:
    """Every block in force, newest first."""
    from nudgepay.nudges.suppressions import suppressions_in_force

    with open_runtime() as runtime, runtime.db.transaction() as session:
        rows = [
            {"address": one.address, "reason": one.reason, "source": one.source, "since": one.created_at}
            for one in suppressions_in_force(session)
        ]
    if as_json:
        print_json(rows)
        return
    cells = [tuple(row.values()) for row in rows]
    print_table("Suppressions", ["address", "reason", "told by", "since"], cells, empty="Everybody is written to.")


@suppressions.command("add")
def add(address: Address) -> None:
    """Write to an address no more, at any client."""
    from nudgepay import clock
    from nudgepay.gateways.mail import ensure_address
    from nudgepay.nudges.suppressions import suppress

    with open_runtime() as runtime, runtime.db.transaction() as session:
        known = ensure_address(address)
        suppress(session, address=known, reason="manual", source="cli", now=clock.now(), actor=actor())
    print("This address is written to no more.")


@suppressions.command("lift")
def lift(address: Address, reason: Reason = "manual") -> None:
    """Allow letters to an address again, as far as this reason goes."""
    from nudgepay import clock
    from nudgepay.nudges.suppressions import lift_suppression

    with open_runtime() as runtime, runtime.db.transaction() as session:
        lift_suppression(session, address=address, reason=reason, now=clock.now(), actor=actor())
    print(f"No longer blocked as {reason}.")
