"""`nudgepay stripe`: both books compared, and Stripe's open invoices brought here."""

from typing import TYPE_CHECKING, Annotated

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json
from nudgepay.cli.tables import print_table

if TYPE_CHECKING:
    from nudgepay.gateways.stripe import StripeGateway
    from nudgepay.runtime import Runtime

app = typer.Typer(no_args_is_help=True, help="Stripe and the books, compared.")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
MAX_SHOWN = 50


def _gateway(runtime: "Runtime") -> "StripeGateway":
    from nudgepay.errors import UsageError

    if runtime.stripe is None:
        raise UsageError("STRIPE_SECRET_KEY is missing: there is no Stripe to ask")
    return runtime.stripe


@app.command()
def sweep(as_json: Json = False) -> None:
    """Compare Stripe with the books, both ways, and apply what no webhook brought."""
    from nudgepay import ledger
    from nudgepay.payments.sweep import NAME, run_sweep
    from nudgepay.payments.terms import stripe_terms

    with open_runtime() as runtime:
        gateway = _gateway(runtime)
        with ledger.execution(runtime.db, kind="job", name=NAME, actor=actor()) as details:
            report = run_sweep(runtime.db, gateway, terms=stripe_terms(runtime.settings), now=instant(None))
            details.update(report.document())
    if as_json:
        print_json(report.document())
    else:
        print_table("Stripe sweep", ["what", "count>"], list(report.document().items()), empty="")
    if report.drift:
        raise typer.Exit(1)


@app.command("import-invoices")
def import_invoices(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything; write nothing.")] = False,
    release: Annotated[bool, typer.Option("--release", help="Chase overdue invoices at once.")] = False,
    as_json: Json = False,
) -> None:
    """Stripe's open invoices: all of them or none; the same again changes nothing. Their payments follow by event."""
    from rich.console import Console

    from nudgepay.invoices.importing.rows import Defaults
    from nudgepay.payments.stripe_importing import import_invoices
    from nudgepay.payments.terms import stripe_terms

    with open_runtime() as runtime, Console(stderr=True).status("Asking Stripe ...") as status:
        settings = runtime.settings
        report = import_invoices(
            runtime.db,
            _gateway(runtime),
            terms=stripe_terms(settings),
            defaults=Defaults(settings.business_locale, settings.business_timezone, settings.business_country),
            now=instant(None),
            actor=actor(),
            release=release,
            dry_run=dry_run,
            progress=lambda rows: status.update(f"{rows} invoices ..."),
        )
    if as_json:
        print_json(report.document())
    elif report.errors:
        shown = [(fault.line, fault.column, fault.message) for fault in report.errors[:MAX_SHOWN]]
        title = f"{len(report.errors)} faults; nothing was written"
        print_table(title, ["invoice>", "field", "what"], shown, empty="")
    else:
        verb = "would be" if dry_run else "were"
        print(
            f"{report.rows} open invoices at Stripe: {report.created} {verb} created, {report.updated} updated,"
            f" {report.unchanged} are unchanged."
        )
        if report.waiting:
            print(f"{report.waiting} are overdue already and wait for you: nudgepay amnesty list")
    if report.errors:
        raise typer.Exit(1)
