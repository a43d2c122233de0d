"""`nudgepay tokens`: what programs may read, and that they may no more. Tokens are made on the pages, by a person."""

from typing import Annotated

import typer

from nudgepay.cli.context import actor, open_runtime, print_json
from nudgepay.cli.tables import print_table

app = typer.Typer(no_args_is_help=True, help="What programs may read.")
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@app.command("list")
def list_all(as_json: Json = False) -> None:
    """Every token, never a secret."""
    from dataclasses import asdict

    from nudgepay import clock
    from nudgepay.access.peppers import peppers_of
    from nudgepay.access.service_tokens import known_tokens

    with open_runtime() as runtime, runtime.db.transaction() as session:
        peppers = peppers_of(runtime.settings.secret("service_token_pepper"))
        rows = known_tokens(session, peppers=peppers, now=clock.now())
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    cells = [
        (
            f"npt_{row.prefix}",
            row.name,
            row.state,
            " ".join(row.scopes),
            row.creator,
            row.last_used_at,
            row.expires_at,
        )
        for row in rows
    ]
    columns = ["token", "for", "state", "may", "made by", "last used", "ends"]
    print_table("Tokens", columns, cells, empty="No program has a token; they are made at /tokens.")


@app.command("revoke")
def revoke(prefix: Annotated[str, typer.Argument(help="npt_ and what stands before the second underscore.")]) -> None:
    """From now on it is worth nothing, for good."""
    from nudgepay.access.service_tokens import revoke_token, token_by_prefix

    with open_runtime() as runtime, runtime.db.transaction() as session:
        token = revoke_token(session, token_by_prefix(session, prefix).id, actor=actor())
    print(f"npt_{token.prefix} ({token.name}) is revoked.")
