"""`nudgepay privacy`: hand out a person's data, erase it, and erase it again in a restored database."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json, say
from nudgepay.cli.tables import print_table

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from nudgepay.privacy.foreseeing import Preview
    from nudgepay.privacy.people import Person

app = typer.Typer(no_args_is_help=True, help="A person's data: hand it out, erase it (GDPR 15, 17, 20).")
Address = Annotated[str | None, typer.Argument(help="The person's address.")]
ClientName = Annotated[str | None, typer.Option("--client", help="A client who is a person: key, name or id.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Now = Annotated[str | None, typer.Option("--now", help="Act as if it were this instant (ISO 8601).")]


@app.command("export")
def export(
    address: Address = None,
    client: ClientName = None,
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a file (mode 0600) instead.")] = None,
) -> None:
    """Everything that is here of one person and of nobody else, as JSON."""
    from nudgepay import clock
    from nudgepay.privacy.exporting import export_person

    who = _who(address, client)
    with open_runtime() as runtime, runtime.db.transaction() as session:
        document = export_person(session, who(session), now=clock.now(), actor=actor())
    if out is None:
        print_json(document)
        return
    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(document, file, indent=2, ensure_ascii=False)
    say(f"Written to {out}. It holds personal data: hand it over, then delete it.")


@app.command("erase")
def erase(
    address: Address = None,
    client: ClientName = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this, only show what would happen.")] = False,
    silence: Annotated[
        bool, typer.Option("--silence-open-invoices", help="Open invoices may be left without anybody to ask.")
    ] = False,
    as_json: Json = False,
    now: Now = None,
) -> None:
    """Show what erasing a person would do, or, with --yes, do it. There is no way back."""
    from nudgepay.gateways.transports import forget_messages
    from nudgepay.privacy.erasing import CURES, erase_person
    from nudgepay.privacy.erasure_ledger import ledger_of
    from nudgepay.privacy.foreseeing import foresee_erasure
    from nudgepay.privacy.terms import retention_years

    who = _who(address, client)
    with open_runtime() as runtime:
        years = retention_years(runtime.settings)
        if not yes:
            with runtime.db.transaction() as session:
                preview = foresee_erasure(session, who(session), years=years)
            _show(preview, None, as_json=as_json, cures=CURES)
            return
        done = erase_person(
            runtime.db,
            ledger_of(runtime.settings),
            who,
            years=years,
            silence=silence,
            now=instant(now),
            actor=actor(),
        )
        forget_messages(runtime.settings, done.messages)
    _show(done.preview, done.erasure, as_json=as_json, cures=CURES)


@app.command("replay")
def replay(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be erased again.")] = False,
    as_json: Json = False,
    now: Now = None,
) -> None:
    """After a restore: erase again whom the ledger names. Repeating it does nothing."""
    from nudgepay.privacy.erasure_ledger import ledger_of
    from nudgepay.privacy.replaying import replay_erasures
    from nudgepay.privacy.terms import retention_years

    with open_runtime() as runtime:
        done = replay_erasures(
            runtime.db,
            ledger_of(runtime.settings),
            years=retention_years(runtime.settings),
            now=instant(now),
            actor=actor(),
            dry_run=dry_run,
        )
    if as_json:
        print_json({"applied": done.applied, "standing": done.standing, "absent": done.absent, "dry_run": dry_run})
        return
    word = "would be applied" if dry_run else "applied"
    print(f"{len(done.applied)} erasures {word}, {len(done.standing)} known here, {len(done.absent)} find nobody.")


@app.command("expire")
def expire(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only.")] = False,
    as_json: Json = False,
    now: Now = None,
) -> None:
    """Erase what was kept by law of erased people and is past its term. The worker does it every night."""
    from nudgepay.privacy.expiring import expire as expire_kept
    from nudgepay.privacy.terms import retention_years

    with open_runtime() as runtime, runtime.db.transaction() as session:
        years = retention_years(runtime.settings)
        counts = expire_kept(session, years=years, now=instant(now), actor=actor(), dry_run=dry_run)
    if as_json:
        print_json({"expired": counts, "dry_run": dry_run})
        return
    print_table("Past its term", ["table", "rows"], [(name, str(n)) for name, n in counts.items()], empty="Nothing.")


def _who(address: str | None, client: str | None) -> "Callable[[Session], Person]":
    from nudgepay.errors import UsageError
    from nudgepay.invoices.queries import client_by_name
    from nudgepay.privacy.people import person_by_address, person_of_client

    if (address is None) == (client is None):
        raise UsageError("say who: an address, or --client")
    if address is not None:
        return lambda session: person_by_address(session, address)
    return lambda session: person_of_client(session, client_by_name(session, client or "").id)


def _show(preview: "Preview", erasure: str | None, *, as_json: bool, cures: dict[str, str]) -> None:
    if as_json:
        print_json(_document(preview, erasure, cures))
        return
    goes = [
        (one.table, str(one.rows), "whole rows" if one.is_deleted else ", ".join(one.columns)) for one in preview.goes
    ]
    print_table("Erased" if erasure else "Goes", ["table", "rows", "what"], goes, empty="Nothing is left to erase.")
    stays = [(one.table, str(one.rows), ", ".join(one.columns), f"{one.until:%Y-%m-%d}") for one in preview.stays]
    print_table("Stays by law", ["table", "rows", "what", "at most before"], stays, empty="Nothing stays by law.")
    if erasure is not None:
        print(f"Erased: {erasure}.")
        return
    for code in preview.obstacles:
        print(f"In the way: {cures[code]}.")
    if preview.silenced:
        print(f"{preview.silenced} open invoices would be asked for by nobody: it takes --silence-open-invoices.")
    if not preview.is_done:
        print("Nothing was changed. To erase: the same with --yes.")


def _document(preview: "Preview", erasure: str | None, cures: dict[str, str]) -> dict[str, Any]:
    return {
        "erasure": erasure,
        "done": preview.is_done or erasure is not None,
        "goes": [{"table": one.table, "rows": one.rows, "columns": one.columns} for one in preview.goes],
        "stays": [
            {"table": one.table, "rows": one.rows, "columns": one.columns, "rule": one.rule, "until": one.until}
            for one in preview.stays
        ],
        "obstacles": [{"code": code, "cure": cures[code]} for code in preview.obstacles],
        "silenced_invoices": preview.silenced,
    }
