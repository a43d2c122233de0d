"""`nudgepay doctor`: one screen about everything that an installation depends on."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from nudgepay.cli.context import open_runtime, print_json

if TYPE_CHECKING:
    from nudgepay.readiness.findings import Finding

MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "failed": "[red]✗[/]", "not_checked": "[dim]?[/]"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Database, migrations, workers, sender, Stripe, clock, disk: what is wrong, and the cure. Sends nothing."""
    from nudgepay.readiness.findings import is_healthy

    found = []
    for one in _findings():
        found.append(one)
        if not as_json:
            _show(one)
    if as_json:
        print_json({"ok": is_healthy(found), "findings": [one.document() for one in found]})
    else:
        counts = {word: sum(one.verdict == word for one in found) for word in MARKS}
        print(
            f"\n{counts['failed']} failed, {counts['warning']} to look at, {counts['not_checked']} not checked,"
            f" {counts['ok']} ok"
        )
    if not is_healthy(found):
        raise typer.Exit(1)


def _findings() -> Iterator["Finding"]:
    from datetime import timedelta

    from nudgepay.automation.backlog import late_queues
    from nudgepay.config import SettingsValidationError
    from nudgepay.db import DatabaseUnavailable
    from nudgepay.readiness.doctor import doctor_findings
    from nudgepay.readiness.findings import Finding

    try:
        with open_runtime(migrated=False) as runtime:
            patience = timedelta(minutes=runtime.settings.ready_backlog_minutes)
            yield from doctor_findings(runtime, late=lambda session: late_queues(session, patience=patience))
    except SettingsValidationError as error:
        for one in error.problems:
            yield Finding(f"config.{one.setting}", "failed", one.problem, one.cure)
    except DatabaseUnavailable as error:
        yield Finding("database", "failed", str(error), "Check DATABASE_URL and the server")


def _show(finding: "Finding") -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{MARKS[finding.verdict]} {finding.name:<16} {escape(finding.found)}")
    if finding.cure:
        console.print(f"  {'':<16} [dim]→ {escape(finding.cure)}[/]")
