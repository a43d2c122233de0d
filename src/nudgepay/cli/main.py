"""`nudgepay`: the whole command surface on one page."""

import sys
from typing import Annotated

import typer

from nudgepay import __version__
from nudgepay.cli import (
    amnesty,
    audit,
    clients,
    config,
    drill,
    exporting,
    importing,
    invoices,
    letters,
    mailings,
    mappings,
    nudge,
    operators,
    payments,
    plan,
    privacy,
    processes,
    schedules,
    schema,
    sending,
    statements,
    stripe,
    suppressions,
    tokens,
)
from nudgepay.cli.demo.command import demo
from nudgepay.cli.doctor import doctor
from nudgepay.cli.evidence import evidence
from nudgepay.cli.init import init
from nudgepay.errors import NudgePayError

app = typer.Typer(
    name="nudgepay",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Gets small businesses paid, and falls silent the moment there is nothing left to claim.",
)
app.command("demo")(demo)
app.command("up")(processes.up)
app.command("serve")(processes.serve)
app.command("worker")(processes.worker)
app.add_typer(processes.notices, name="notices")
app.command("init")(init)
app.command("doctor")(doctor)
app.command("evidence")(evidence)
app.command("migrate")(schema.migrate)
app.add_typer(processes.jobs, name="jobs")
app.command("plan")(plan.plan)
app.command("import")(importing.import_file)
app.command("export")(exporting.export)
app.add_typer(mappings.app, name="mappings")
app.add_typer(config.app, name="config")
app.add_typer(drill.app, name="drill")
app.add_typer(clients.app, name="clients")
app.add_typer(clients.contacts, name="contacts")
app.add_typer(invoices.app, name="invoices")
app.add_typer(payments.app, name="payments")
app.add_typer(payments.reviews, name="reviews")
app.add_typer(stripe.app, name="stripe")
app.add_typer(statements.app, name="statements")
app.add_typer(amnesty.amnesty, name="amnesty")
app.add_typer(schedules.app, name="schedules")
app.add_typer(nudge.app, name="nudge")
app.add_typer(letters.app, name="letters")
app.add_typer(letters.unknown, name="unknown")
app.add_typer(letters.review, name="review")
app.add_typer(mailings.app, name="mailings")
app.add_typer(operators.app, name="operators")
app.add_typer(sending.app, name="sending")
app.add_typer(audit.app, name="audit")
app.add_typer(privacy.app, name="privacy")
app.add_typer(suppressions.suppressions, name="suppressions")
app.add_typer(tokens.app, name="tokens")


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Everything by hand; `nudgepay up` runs it all."""


def main() -> None:
    """Entry point: expected errors end as one sentence and their exit code, never as a trace."""
    try:
        app()
    except NudgePayError as error:
        print(f"nudgepay: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
