"""`nudgepay config check`."""

from typing import Annotated

import typer

from nudgepay.cli.context import print_json

app = typer.Typer(no_args_is_help=True, help="Judge the configuration.")


@app.callback()
def group() -> None:
    """Judge the configuration; never prints a value."""


@app.command()
def check(
    strict: Annotated[bool, typer.Option(help="Apply the policy of production.")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Every problem at once, with the setting's name and the cure."""
    from nudgepay.config import Settings, SettingsValidationError
    from nudgepay.managed_secrets.environment import resolver_from_environment

    problems = []
    try:
        Settings.load().ensure_valid(strict=strict, resolve=resolver_from_environment())
    except SettingsValidationError as error:
        problems = [
            {"setting": found.setting, "problem": found.problem, "cure": found.cure} for found in error.problems
        ]
        if not as_json:
            raise
    if as_json:
        print_json({"ok": not problems, "problems": problems})
    else:
        print("The configuration is valid.")
    if problems:
        raise typer.Exit(2)
