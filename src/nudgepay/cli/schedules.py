"""`nudgepay schedules`: named, versioned sequences of steps."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json, say

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from nudgepay.config import Settings
    from nudgepay.nudges.differences import InvoiceChange, ScheduleDiff
    from nudgepay.nudges.facts import Step

app = typer.Typer(no_args_is_help=True, help="Named, versioned sequences of steps. A version is never edited.")

Name = Annotated[str, typer.Argument(help="The schedule's name; `default` is everybody's without another.")]
File = Annotated[Path, typer.Argument(help="A JSON list of steps, as `schedules show --json` prints it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Days = Annotated[int, typer.Option(min=1, max=400, help="How far to compare.")]
Now = Annotated[str | None, typer.Option(help="The instant to compare from, ISO 8601; UTC without a zone.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Every schedule, its version in force and its steps."""
    from nudgepay.nudges.schedules import current_schedules

    with open_runtime() as runtime, runtime.db.transaction() as session:
        found = current_schedules(session)
    if as_json:
        print_json(
            [
                {"name": one.name, "version": one.version, "steps": [step.code for step in one.steps]}
                for one in found.values()
            ]
        )
        return
    for one in found.values():
        print(f"{one.name}  version {one.version}  {' '.join(step.code for step in one.steps)}")


@app.command()
def show(name: Name = "default", as_json: AsJson = False) -> None:
    """The steps in force."""
    from nudgepay.nudges.schedule_text import schedule_document
    from nudgepay.nudges.schedules import current_schedule

    with open_runtime() as runtime, runtime.db.transaction() as session:
        found = current_schedule(session, name)
    if as_json:
        print_json(schedule_document(found.steps))
        return
    print(f"{found.name}, version {found.version}")
    for step in found.steps:
        days = "business days" if step.business_days else "days"
        extras = [f"minimum {step.minimum_remaining}"] * bool(step.minimum_remaining) + ["review"] * step.review
        print(f"  {step.code:8}{step.offset_days:+d} {days} from {step.anchor}", step.template, step.tone, *extras)


@app.command()
def diff(name: Name, file: File, days: Days = 60, now: Now = None, as_json: AsJson = False) -> None:
    """What these steps would change for every open invoice. Changes nothing."""
    with open_runtime() as runtime, runtime.db.transaction() as session:
        found = _difference(session, runtime.settings, name, _read(file), now=instant(now), days=days)
    _show(found, days=days, as_json=as_json)


@app.command()
def save(
    name: Name,
    file: File,
    days: Days = 60,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Show the difference, then put these steps in force as a new version."""
    from nudgepay.nudges.schedules import save_schedule

    steps = _read(file)
    moment = instant(None)
    with open_runtime() as runtime:
        with runtime.db.transaction() as session:
            found = _difference(session, runtime.settings, name, steps, now=moment, days=days)
        _show(found, days=days, as_json=False)
        if not yes and not typer.confirm(f"Put a new version of {name!r} in force?"):
            say("Nothing was changed.")
            raise typer.Exit(1)
        with runtime.db.transaction() as session:
            saved = save_schedule(session, name, steps, now=moment, actor=actor())
    print(f"{saved.name}: version {saved.version} is in force; its invoices are planned anew in the next pass.")


def _read(file: Path) -> tuple["Step", ...]:
    from nudgepay.errors import UsageError
    from nudgepay.nudges.schedule_text import parse_schedule
    from nudgepay.nudges.schedules import ensure_steps

    try:
        steps = parse_schedule(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {type(error).__name__}") from error
    ensure_steps(steps)
    return steps


def _difference(
    session: "Session", settings: "Settings", name: str, steps: tuple["Step", ...], *, now: datetime, days: int
) -> "ScheduleDiff":
    from nudgepay.nudges.differences import diff_schedule
    from nudgepay.nudges.preview import span_ahead
    from nudgepay.nudges.schedules import ensure_name, next_version

    ensure_name(name)
    span = span_ahead(session, settings, now=now, days=days, if_resumed=True)
    return diff_schedule(session, name, steps, version=next_version(session), span=span)


def _show(found: "ScheduleDiff", *, days: int, as_json: bool) -> None:
    if as_json:
        changes = [_change(change) for change in found.changes]
        print_json({"schedule": found.name, "followers": found.followers, "changes": changes})
        return
    changed = len(found.changes)
    print(f"{found.followers} open invoices follow {found.name!r}; in {days} days {changed} get other letters:")
    for change in found.changes:
        for sign, letters in (("-", change.gone), ("+", change.new)):
            for step, at in letters:
                print(f"  {sign} {change.invoice}  {step}  {at:%Y-%m-%d %H:%M} UTC  {change.client}")


def _change(change: "InvoiceChange") -> dict[str, Any]:
    return {
        "invoice": change.invoice,
        "client": change.client,
        "gone": [{"step": step, "at": at.isoformat()} for step, at in change.gone],
        "new": [{"step": step, "at": at.isoformat()} for step, at in change.new],
    }
