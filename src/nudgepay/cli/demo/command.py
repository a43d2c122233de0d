"""`nudgepay demo [--once] [--fresh] [--port N]`."""

from typing import Annotated

import typer

WIDTH = 130
"""Columns when nobody's terminal says how wide it is."""


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the tables.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the data of earlier runs first.")] = False,
    port: Annotated[int, typer.Option(help="Port of the pages.")] = 8000,
) -> None:
    """The whole story on sample data, then the pages. A second run keeps its data."""
    from rich.console import Console

    from nudgepay import clock
    from nudgepay.automation.worker import run_worker
    from nudgepay.cli.demo.cleaning import forget
    from nudgepay.cli.demo.clock_of_story import story_start
    from nudgepay.cli.demo.stage import OPERATOR, set_up
    from nudgepay.cli.demo.story import has_books, tell, tell_again
    from nudgepay.cli.demo.tables import print_story

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    if fresh:
        forget()
    now = clock.now()
    with console.status("Starting an own PostgreSQL and the pages ..."):
        stage_context = set_up(port=port)
        stage = stage_context.__enter__()
    try:
        console.print("[green]✓[/green] Own PostgreSQL, pages and a stand-in for Stripe are up, all on this machine")
        told = tell_again(stage, console, now=now) if has_books(stage) else tell(stage, console, now=now)
        console.print()
        print_story(console, stage.runtime.db, since=story_start(now))
        console.print(f"{told.passes} passes, {told.letters} letters. No reminder after payment, none twice.")
        if not once:
            console.print(f"\nThe operators' app:        [bold]{stage.url}[/bold]   (Ctrl-C ends it)")
            console.print(f"Sign in as:                [bold]{OPERATOR}[/bold]  [bold]{stage.password}[/bold]")
            console.print(f"Letters and payers' pages: [bold]{stage.url}/outbox[/bold]")
            run_worker(stage.runtime)
    finally:
        stage_context.__exit__(None, None, None)
