"""`nudgepay audit`: the log of who did what, and the proof that nobody changed it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nudgepay.cli.context import actor, open_runtime, print_json, say

if TYPE_CHECKING:
    from nudgepay.audit.verifying import Verdict

app = typer.Typer(no_args_is_help=True, help="Who did what, and the proof that nobody changed it.")
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@app.command("verify")
def verify(
    checkpoint: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Compare with a checkpoint that was kept elsewhere.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute the chain anew; names the first record that was edited, deleted, reordered, inserted or lost."""
    from nudgepay.readiness.audit_log import check_audit_log

    with open_runtime() as runtime, _bar() as progress:
        verdict = check_audit_log(runtime, actor=actor(), checkpoint=checkpoint, progress=progress)
    if as_json:
        print_json(verdict.document())
    else:
        _show(verdict)
    if verdict.first_bad is not None:
        raise typer.Exit(1)


@app.command("seal")
def seal(
    wait: Annotated[float, typer.Option(help="Seconds to wait for open transactions.", min=0, max=600)] = 10,
    as_json: Json = False,
) -> None:
    """Seal what is new, sign where the chain stands, and ship that. The worker does it every minute."""
    from nudgepay.audit.running import seal_log

    with open_runtime() as runtime:
        done = seal_log(runtime.db, runtime.settings, wait_seconds=wait)
    if as_json:
        found = None if done.checkpoint is None else done.checkpoint.document()
        print_json({"sealed": done.records, "waiting": done.waiting, "shipped": done.shipped, "checkpoint": found})
        return
    print(f"{done.records} records sealed." if done.records else "Nothing new to seal.")
    if done.waiting:
        say("A transaction that writes the log is still open: the newest records are sealed next time.")
    if done.checkpoint is not None and done.checkpoint.signature is None:
        say("Nobody signs for it: set AUDIT_SIGNING_KEY (nudgepay init makes one).")


@app.command("checkpoint")
def show_checkpoint() -> None:
    """Print the newest checkpoint, a JSON document to be kept elsewhere."""
    from nudgepay.audit.checkpoints import newest_checkpoint
    from nudgepay.errors import NotFound

    with open_runtime() as runtime, runtime.db.transaction() as session:
        found = newest_checkpoint(session)
    if found is None:
        raise NotFound("there is no checkpoint yet: nudgepay audit seal")
    print_json(found.document())


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """Tells how far it is, where a person looks."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Verifying", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(verdict: "Verdict") -> None:
    for remark in verdict.remarks:
        say(f"Note: {remark}.")
    bad = verdict.first_bad
    if bad is not None:
        which = f"record {bad.id}" if bad.id is not None else f"place {bad.seq}"
        print(f"BROKEN at {which} ({bad.code}): {bad.reason}.\n{verdict.checked} records before it are whole.")
        return
    print(f"{verdict.checked} records are whole, {verdict.unsealed} wait for their seal.")
    if verdict.checkpoint is not None:
        point = verdict.checkpoint
        by = f"signed by {point.key_id}" if point.key_id else "unsigned"
        print(f"Newest checkpoint: record {point.seq}, {point.at:%Y-%m-%d %H:%M:%S} UTC, {by}.")
