"""`nudgepay invoices`: claims by hand, and one page about each."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json
from nudgepay.cli.tables import print_table

app = typer.Typer(no_args_is_help=True, help="Claims.")

Number = Annotated[str, typer.Argument(help="The invoice's number.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]


@app.command()
def add(
    client: Annotated[str, typer.Argument(help="The client's id, external id or name.")],
    number: Number,
    amount: Annotated[str, typer.Argument(help="In major units: 1234.56")],
    currency: Annotated[str, typer.Argument(help="ISO 4217: EUR")],
    due: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Due date.")],
    issued: Day = None,
    description: Annotated[str | None, typer.Option(help="What it is for; payers see it.")] = None,
    external_id: Annotated[str | None, typer.Option(help="Your own key.")] = None,
) -> None:
    """Add an open invoice; its reminders follow the schedule from now on."""
    from nudgepay.invoices.actions import create_invoice
    from nudgepay.invoices.queries import client_by_name
    from nudgepay.money import ensure_currency, format_money, parse_major

    with open_runtime() as runtime, runtime.db.transaction() as session:
        code = ensure_currency(currency)
        invoice = create_invoice(
            session,
            client_id=client_by_name(session, client).id,
            number=number,
            currency=code,
            amount_due=parse_major(amount, code),
            issued_on=(issued or due).date(),
            due_on=due.date(),
            external_id=external_id,
            description=description,
            now=instant(None),
            actor=actor(),
        )
    print(f"Invoice {invoice.number} over {format_money(invoice.amount_due, code, 'en')} added. See: nudgepay plan")


@app.command("list")
def list_invoices(
    status: Annotated[str | None, typer.Option(help="draft, open, paid, void or uncollectible.")] = None,
    as_json: Json = False,
) -> None:
    """Every invoice, oldest due date first."""
    from sqlalchemy import text

    from nudgepay.money import format_money

    query = text(
        "SELECT i.number, c.name AS client, i.currency, i.amount_due, i.amount_remaining, i.status, i.money_state,"
        " i.due_on, i.amnesty_at IS NOT NULL AS waits_for_release"
        " FROM invoices i JOIN clients c ON c.id = i.client_id"
        " WHERE CAST(:status AS text) IS NULL OR i.status = :status ORDER BY i.due_on, i.id"
    ).bindparams(status=status)
    with open_runtime() as runtime, runtime.db.transaction() as session:
        rows = [dict(row) for row in session.execute(query).mappings()]
    if as_json:
        print_json(rows)
        return
    print_table(
        "Invoices",
        ["number", "client", "open>", "of>", "due", "status", "money"],
        [
            (
                row["number"],
                row["client"],
                format_money(row["amount_remaining"], row["currency"], "en"),
                format_money(row["amount_due"], row["currency"], "en"),
                row["due_on"],
                row["status"] + (" (waits for release)" if row["waits_for_release"] else ""),
                row["money_state"],
            )
            for row in rows
        ],
        empty="No invoice yet: nudgepay invoices add CLIENT NUMBER AMOUNT CURRENCY --due DATE, or import FILE",
    )


@app.command()
def show(number: Number, as_json: Json = False) -> None:
    """One page about an invoice: money, reminders, letters, what holds it."""
    from nudgepay.nudges.dossier import dossier

    with open_runtime() as runtime, runtime.db.transaction() as session:
        document = dossier(session, number)
    if as_json:
        print_json(document)
        return
    for key, value in document["invoice"].items():
        print(f"{key.replace('_', ' '):18} {value if value is not None else '-'}")
    for name in ("payments", "reminders", "letters", "promises", "disputes", "reviews"):
        rows = document[name]
        if rows:
            print()
            print_table(name.capitalize(), list(rows[0]), [list(row.values()) for row in rows], empty="")


@app.command()
def void(
    number: Number,
    uncollectible: Annotated[bool, typer.Option(help="Write it off instead of voiding it.")] = False,
) -> None:
    """Close an invoice without payment; its reminders end."""
    from nudgepay.invoices.actions import close_invoice
    from nudgepay.invoices.queries import invoice_by_number, lock_client, lock_invoices
    from nudgepay.payments.books import reallocate

    with open_runtime() as runtime, runtime.db.transaction() as session:
        now = instant(None)
        invoice = invoice_by_number(session, number)
        lock_client(session, invoice.client_id)
        lock_invoices(session, [invoice.id])
        status = "uncollectible" if uncollectible else "void"
        close_invoice(session, invoice, status=status, now=now, actor=actor())
        session.flush()
        reallocate(session, invoice.client_id, now=now)
    print(f"Invoice {number} is {status}; nothing more will be sent for it.")


@app.command()
def pause(number: Number, until: Day = None) -> None:
    """Silence through a day of the client (or until unpaused)."""
    from nudgepay.invoices.actions import pause_invoice
    from nudgepay.invoices.queries import invoice_by_number

    with open_runtime() as runtime, runtime.db.transaction() as session:
        day = until.date() if until else None
        pause_invoice(session, invoice_by_number(session, number), until=day, now=instant(None), actor=actor())
    print(f"Invoice {number} is silent {'through ' + str(day) if day else 'until it is unpaused'}.")


@app.command()
def unpause(number: Number) -> None:
    """End a pause."""
    from nudgepay.invoices.actions import unpause_invoice
    from nudgepay.invoices.queries import invoice_by_number

    with open_runtime() as runtime, runtime.db.transaction() as session:
        unpause_invoice(session, invoice_by_number(session, number), now=instant(None), actor=actor())
    print(f"Invoice {number} is no longer paused.")


@app.command()
def reminders(number: Number, switch: Annotated[str, typer.Argument(help="on or off")]) -> None:
    """Turn the chase of one invoice on or off."""
    from nudgepay.errors import UsageError
    from nudgepay.invoices.actions import switch_reminders
    from nudgepay.invoices.queries import invoice_by_number

    if switch not in {"on", "off"}:
        raise UsageError("reminders: say on or off")
    with open_runtime() as runtime, runtime.db.transaction() as session:
        found = invoice_by_number(session, number)
        switch_reminders(session, found, on=switch == "on", now=instant(None), actor=actor())
    print(f"Reminders for invoice {number} are {switch}.")


@app.command()
def attach(
    number: Number,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The invoice as PDF, at most 2 MB.")],
) -> None:
    """Keep the invoice's own PDF: letters and pages link it, or letters carry it (INVOICE_PDFS)."""
    from nudgepay.invoices.documents import attach_document
    from nudgepay.invoices.queries import invoice_by_number

    content = file.read_bytes()
    with open_runtime() as runtime, runtime.db.transaction() as session:
        document = attach_document(session, invoice_by_number(session, number), content, actor=actor())
        url = f"{runtime.settings.base_url.rstrip('/')}/d/{document.token}"
    print(f"Kept ({len(content) / 1024:.0f} KB). Its reader finds it at {url}")


@app.command()
def detach(number: Number) -> None:
    """Forget the invoice's PDF; its link leads nowhere any more."""
    from nudgepay.invoices.documents import detach_document
    from nudgepay.invoices.queries import invoice_by_number

    with open_runtime() as runtime, runtime.db.transaction() as session:
        detach_document(session, invoice_by_number(session, number), actor=actor())
    print("Forgotten.")
