"""`nudgepay sending pause` and `nudgepay sending resume`: the big switch."""

from typing import Annotated

import typer

from nudgepay.cli.context import actor, open_runtime

app = typer.Typer(no_args_is_help=True, help="The big switch: whether anything may leave.")


@app.command()
def pause(reason: Annotated[str, typer.Option(help="Shown to everybody who asks.")] = "paused by hand") -> None:
    """Nothing leaves any more, from the next last look on."""
    from nudgepay.nudges.switch import pause_sending

    with open_runtime() as runtime, runtime.db.transaction() as session:
        pause_sending(session, reason=reason, environment=runtime.settings.environment, actor=actor())
    print("Sending is paused. Reminders wait; none is lost.")


@app.command()
def resume(
    reason: Annotated[str | None, typer.Option(help="For the audit log.")] = None,
) -> None:
    """Letters may leave again."""
    from nudgepay.nudges.switch import resume_sending

    with open_runtime() as runtime, runtime.db.transaction() as session:
        woken = resume_sending(session, environment=runtime.settings.environment, actor=actor(), reason=reason)
    print(f"Sending is on. {woken} reminders had waited for it.")
