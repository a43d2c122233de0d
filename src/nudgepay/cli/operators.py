"""`nudgepay operators`: who may sign in, and as what."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from nudgepay.cli.context import actor, open_runtime, print_json
from nudgepay.cli.tables import print_table

if TYPE_CHECKING:
    from nudgepay.access.permissions import Role

app = typer.Typer(no_args_is_help=True, help="Who may sign in, and as what.")
Address = Annotated[str, typer.Argument(help="The operator's address.")]
RoleName = Annotated[str, typer.Option("--role", help="viewer, auditor, operator, manager or superadmin.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@app.command("add")
def add(
    email: Address,
    role: RoleName = "operator",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read it from standard input.")] = False,
) -> None:
    """A new operator, with a password that is asked for."""
    from nudgepay.access.operators import add_operator

    wanted = _role(role)
    password = sys.stdin.readline().rstrip("\n") if password_stdin else _asked_password()
    with open_runtime() as runtime, runtime.db.transaction() as session:
        business = runtime.settings.business_name
        made = add_operator(session, email=email, password=password, role=wanted, actor=actor(), known=[business])
    print(f"{made.email} may sign in as {made.role}.")


@app.command("list")
def list_all(as_json: Json = False) -> None:
    """Every operator."""
    from sqlalchemy import select

    from nudgepay.access.models import Operator

    with open_runtime() as runtime, runtime.db.transaction() as session:
        rows = [
            {"email": one.email, "role": one.role, "since": one.created_at, "disabled_at": one.disabled_at}
            for one in session.scalars(select(Operator).order_by(Operator.email))
        ]
    if as_json:
        print_json(rows)
        return
    cells = [tuple(row.values()) for row in rows]
    empty = "Nobody may sign in yet: nudgepay operators add EMAIL --role superadmin"
    print_table("Operators", ["address", "role", "since", "disabled"], cells, empty=empty)


@app.command("role")
def role(email: Address, role_name: Annotated[str, typer.Argument(help="The new role.")]) -> None:
    """Give another role; it counts from the next request on."""
    from nudgepay.access.operators import change_role, operator_by_email

    wanted = _role(role_name)
    with open_runtime() as runtime, runtime.db.transaction() as session:
        change_role(session, operator_by_email(session, email), wanted, actor=actor())
    print(f"{email} is {wanted} now.")


@app.command("disable")
def disable(email: Address) -> None:
    """Sign an operator out everywhere, and let nobody sign in so again."""
    from nudgepay.access.operators import disable_operator, operator_by_email

    with open_runtime() as runtime, runtime.db.transaction() as session:
        disable_operator(session, operator_by_email(session, email), actor=actor())
    print(f"{email} may sign in no more.")


@app.command("reset-totp")
def reset_totp(email: Address) -> None:
    """Ask for no second factor any more, when phone and recovery codes are lost; every session ends."""
    from nudgepay.access.operators import operator_by_email, reset_second_factor

    with open_runtime() as runtime, runtime.db.transaction() as session:
        had_one = reset_second_factor(session, operator_by_email(session, email), actor=actor())
        must_have_one = runtime.settings.requires_second_factor
    if not had_one:
        print(f"{email} had no second factor.")
    elif must_have_one:
        print(f"{email} signs in by password and then sets up a new second factor.")
    else:
        print(f"{email} signs in by password alone until a new second factor is set up.")


def _role(name: str) -> "Role":
    from nudgepay.access.permissions import Role
    from nudgepay.errors import UsageError

    try:
        return Role(name)
    except ValueError as error:
        raise UsageError(f"role: {name!r} is none of {', '.join(Role)}") from error


def _asked_password() -> str:
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
