"""`nudgepay nudge run` and `nudgepay nudge send`."""

import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json

if TYPE_CHECKING:
    from nudgepay.runtime import Runtime

app = typer.Typer(no_args_is_help=True, help="Send what is due, or one nudge by hand.")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Now = Annotated[
    str | None, typer.Option("--now", help="Business time (ISO 8601); only with the outbox or --dry-run.")
]
WAIT_SECONDS = 30


@app.callback()
def group() -> None:
    """Send what is due, or one nudge by hand."""


@app.command()
def run(
    now: Now = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")] = False,
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Write what came due; send nothing.")] = False,
    as_json: Json = False,
) -> None:
    """One pass: plan, then send what is due. Exit 75 while another pass runs."""
    from nudgepay.nudges.rehearsal import rehearse_pass
    from nudgepay.nudges.terms import terms_of

    with open_runtime() as runtime:
        _refuse_other_time(runtime, now, harmless=dry_run)
        at = instant(now)
        if dry_run:
            with runtime.db.transaction() as session:
                document = rehearse_pass(session, terms=terms_of(runtime.settings), now=at)
        else:
            document = _pass(runtime, at, plan_only=plan_only)
    _show(document, as_json)


@app.command()
def send(
    number: Annotated[str, typer.Argument(help="The invoice's number.")],
    preview: Annotated[bool, typer.Option("--preview", help="Show the letter, or why it would wait.")] = False,
    override_gap: Annotated[
        bool, typer.Option("--override-gap", help="Write although this person was written to lately; recorded.")
    ] = False,
    key: Annotated[str | None, typer.Option("--key", help="The same key again sends nothing again.")] = None,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """A nudge by hand: it goes now, unless something holds it."""
    from nudgepay.invoices.queries import invoice_by_number
    from nudgepay.nudges.manual import preview_nudge, request_nudge
    from nudgepay.nudges.sending import run_sending
    from nudgepay.nudges.switch import ensure_switch
    from nudgepay.nudges.terms import terms_of

    with open_runtime() as runtime:
        _refuse_other_time(runtime, now, harmless=preview)
        at, terms = instant(now), terms_of(runtime.settings)
        with runtime.db.transaction() as session:
            ensure_switch(session, environment=runtime.settings.environment, actor=actor())
            invoice = invoice_by_number(session, number)
            if preview:
                shown = preview_nudge(session, invoice, override_gap=override_gap, terms=terms, now=at)
                _show_preview(shown.as_document(number), as_json)
                return
            nudge = request_nudge(
                session, invoice, key=key or uuid.uuid4().hex, override_gap=override_gap, now=at, actor=actor()
            )
            client_id = invoice.client_id
        report = run_sending(runtime.db, transport=runtime.mail, terms=terms, now=at, client_ids=[client_id])
        with runtime.db.transaction() as session:
            state = session.get_one(type(nudge), nudge.id).state
    document = {
        "state": state,
        "accepted": report.counts["accepted"],
        "held": report.held(),
        "skipped": report.skipped(),
    }
    _show(document | {"failed": report.counts["failed"], "unknown": report.counts["unknown"]}, as_json)


def _pass(runtime: "Runtime", at: Any, *, plan_only: bool) -> dict[str, Any]:
    from nudgepay.gateways.transports import receipts_for
    from nudgepay.nudges.passes import run_pass
    from nudgepay.nudges.terms import terms_of

    report = run_pass(
        runtime.db,
        transport=runtime.mail,
        receipts=receipts_for(runtime.settings),
        terms=terms_of(runtime.settings),
        environment=runtime.settings.environment,
        now=at,
        actor=actor(),
        alone=True,
        wait_seconds=WAIT_SECONDS,
        plan_only=plan_only,
    )
    return report.as_document()


def _refuse_other_time(runtime: "Runtime", now: str | None, *, harmless: bool) -> None:
    from nudgepay.errors import Refused

    if now is not None and not harmless and runtime.settings.mail_transport != "outbox":
        raise Refused("--now: real letters go at the real time; use the outbox transport or --dry-run")


def _show(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    for name in ("state", "planned", "letters", "reminders", "accepted", "failed", "unknown"):
        if name in document:
            print(f"{name:>10}  {document[name]}")
    for one in document["held"]:
        until = f" until {one['until']:%Y-%m-%d %H:%M} UTC" if one["until"] else ""
        print(f"      held  {one['invoice']} {one['step']}: {one['reason']}{until}")
    for one in document["skipped"]:
        print(f"   skipped  {one['invoice']} {one['step']}: {one['reason']}")


def _show_preview(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(document)
    elif document["text"] is None:
        print(f"Would not go now: {document['reason']}")
    else:
        print(f"To: {document['to']}\nSubject: {document['subject']}\n\n{document['text']}")
