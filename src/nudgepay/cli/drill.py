"""`nudgepay drill`: rehearsals that touch nothing of what is live."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json, say

if TYPE_CHECKING:
    from nudgepay.db import Database

app = typer.Typer(no_args_is_help=True, help="Rehearsals that touch nothing of what is live.")
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@app.callback()
def group() -> None:
    """Rehearsals that touch nothing of what is live."""


@app.command()
def cutover(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file of the first import.")],
    mapping: Annotated[list[str] | None, typer.Option("--map", help="COLUMN=FIELD, as often as needed.")] = None,
    locale: Annotated[str | None, typer.Option(help="Whose decimal and date conventions the file follows.")] = None,
    currency: Annotated[str | None, typer.Option(help="Of rows that name none.")] = None,
    due_days: Annotated[int | None, typer.Option(min=0, max=365, help="Days from issue to due.")] = None,
    preset: Annotated[str | None, typer.Option("--as", help="A known export, or plain for none.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Leave the letters here, to be read.")] = None,
    as_json: Json = False,
) -> None:
    """The first import, rehearsed: amnesty, shadow plan, first letters, release, way back. Nothing is sent."""
    from nudgepay import ledger
    from nudgepay.cli.importing import load_into
    from nudgepay.cli.mappings import pairs
    from nudgepay.readiness.cutover import Rehearsal, rehearse_cutover

    now = instant(None)
    stages = []
    with open_runtime() as runtime, scratch_database() as (scratch, directory):
        outbox = keep or directory / "outbox"
        load = load_into(
            file,
            runtime.settings,
            columns=pairs(mapping or []),
            locale=locale,
            currency=currency,
            due_days=due_days,
            preset=preset,
        )
        drill = Rehearsal(scratch, runtime.settings, outbox, load, now)
        with ledger.execution(runtime.db, kind="drill", name="cutover", actor=actor()) as details:
            for stage in rehearse_cutover(drill):
                stages.append(stage)
                if not as_json:
                    say(f"{'ok    ' if stage.ok else 'FAILED'} {stage.name}: {stage.found}")
            details["stages"] = [{key: one.document()[key] for key in ("stage", "ok")} for one in stages]
            details["outcome"] = "done" if all(stage.ok for stage in stages) else "failed"
    ok = all(stage.ok for stage in stages)
    if as_json:
        print_json({"ok": ok, "stages": [stage.document() for stage in stages]})
    elif ok:
        where = f" Read the letters in {keep}." if keep else " With --keep DIR you can read the letters."
        print(f"The cut-over went as it should; nothing was sent and nothing live was touched.{where}")
    if not ok:
        raise typer.Exit(1)


@contextmanager
def scratch_database() -> Iterator[tuple["Database", Path]]:
    """A migrated database on a server of its own in a temporary directory, gone afterwards."""
    import tempfile

    from nudgepay.db import Database
    from nudgepay.embedded import start_database
    from nudgepay.schema_lifecycle.migrate import migrate

    with tempfile.TemporaryDirectory(prefix="nudgepay-drill-") as name:
        directory = Path(name)
        server, url = start_database(directory, "drill")
        scratch = Database(url)
        try:
            migrate(scratch)
            yield scratch, directory
        finally:
            scratch.close()
            server.cleanup()
