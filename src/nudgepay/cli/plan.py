"""`nudgepay plan`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nudgepay.cli.context import instant, open_runtime, print_json, say

if TYPE_CHECKING:
    from nudgepay.nudges.preview import Foreseen


def plan(
    days: Annotated[int, typer.Option(min=0, max=400, help="How far to look ahead.")] = 60,
    client: Annotated[str | None, typer.Option(help="Only this client: name, external id or number.")] = None,
    now: Annotated[str | None, typer.Option(help="The instant to look from, ISO 8601; UTC without a zone.")] = None,
    if_resumed: Annotated[bool, typer.Option("--if-resumed", help="As if sending were not paused.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """What will go out, when, and why the rest will not. Changes nothing."""
    from nudgepay.invoices.queries import client_by_name
    from nudgepay.nudges.preview import foresee, span_ahead

    start = instant(now)
    with open_runtime() as runtime, runtime.db.transaction() as session:
        span = span_ahead(session, runtime.settings, now=start, days=days, if_resumed=if_resumed)
        client_id = None if client is None else client_by_name(session, client).id
        lines = sorted(foresee(session, span, client_id=client_id), key=_in_order)
        if as_json:
            print_json([_document(line) for line in lines])
            return
        _print_table(lines, zone_name=runtime.settings.business_timezone, locale=runtime.settings.business_locale)
        if span.rules.sending_paused:
            say("Sending is paused: nothing leaves. What would go: nudgepay plan --if-resumed")


def _in_order(line: "Foreseen") -> tuple[Any, ...]:
    return line.decision.at, line.client, line.invoice


def _document(line: "Foreseen") -> dict[str, Any]:
    decision = line.decision
    return {
        "invoice": line.invoice,
        "client": line.client,
        "step": decision.step,
        "at": decision.at.isoformat(),
        "action": decision.action,
        "reason": decision.reason,
        "until": decision.until.isoformat() if decision.until else None,
        "amount": decision.amount if decision.action == "send" else None,
        "currency": line.currency,
    }


def _print_table(lines: list["Foreseen"], *, zone_name: str, locale: str) -> None:
    from zoneinfo import ZoneInfo

    from rich import box
    from rich.console import Console
    from rich.table import Table

    from nudgepay.money import format_money

    zone = ZoneInfo(zone_name)
    table = Table(box=box.SIMPLE, title=f"The plan, times of {zone_name}", title_justify="left")
    for heading in ("when", "client", "invoice", "step", "what", "why"):
        table.add_column(heading, overflow="fold")
    for line in lines:
        decision = line.decision
        until = f" until {decision.until.astimezone(zone):%Y-%m-%d %H:%M}" if decision.until else ""
        what = format_money(decision.amount, line.currency, locale) if decision.action == "send" else ""
        table.add_row(
            f"{decision.at.astimezone(zone):%Y-%m-%d %H:%M}",
            line.client,
            line.invoice,
            decision.step,
            f"{decision.action} {what}".strip(),
            f"{decision.reason or ''}{until}",
        )
    Console().print(table)
