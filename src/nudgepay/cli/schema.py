"""`nudgepay migrate`."""

from typing import Annotated

import typer

from nudgepay.cli.context import open_runtime, say


def migrate(
    to: Annotated[str, typer.Option(help="Revision to reach; an older one goes back.")] = "head",
) -> None:
    """Bring the database to a revision, under a lock and with short timeouts."""
    from nudgepay.schema_lifecycle.app_role import app_role_trouble
    from nudgepay.schema_lifecycle.migrate import migrate as run

    with open_runtime(migrated=False) as runtime:
        before, after = run(runtime.db, to)
        trouble = app_role_trouble(runtime.db)
    print(f"Already at {after}." if before == after else f"Migrated from {before or 'nothing'} to {after}.")
    if trouble is not None:
        say(f"The database role of the application is not in force: it {trouble}")
