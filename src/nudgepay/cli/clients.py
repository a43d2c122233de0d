"""`nudgepay clients` and `nudgepay contacts`: who owes, and who is written to."""

from typing import TYPE_CHECKING, Annotated

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json, say
from nudgepay.cli.tables import print_table

if TYPE_CHECKING:
    from nudgepay.payments.account import Account

app = typer.Typer(no_args_is_help=True, help="Who owes.")
contacts = typer.Typer(no_args_is_help=True, help="Who is written to.")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The client's name.")],
    email: Annotated[str, typer.Argument(help="Where reminders go.")],
    locale: Annotated[str | None, typer.Option(help="Language and formats, such as de-AT.")] = None,
    timezone: Annotated[str | None, typer.Option(help="IANA zone, such as Europe/Vienna.")] = None,
    country: Annotated[str | None, typer.Option(help="ISO country, for public holidays.")] = None,
    external_id: Annotated[str | None, typer.Option(help="Your own key for this client.")] = None,
    contact_name: Annotated[str | None, typer.Option(help="The person's name.")] = None,
) -> None:
    """Add a client with its billing contact."""
    from nudgepay.invoices.actions import create_client

    with open_runtime() as runtime, runtime.db.transaction() as session:
        settings = runtime.settings
        client = create_client(
            session,
            name=name,
            email=email,
            locale=locale or settings.business_locale,
            timezone=timezone or settings.business_timezone,
            country=country or settings.business_country,
            external_id=external_id,
            contact_name=contact_name,
            actor=actor(),
        )
    print(f"Client {client.id} added. Next: nudgepay invoices add {client.id} NUMBER AMOUNT CURRENCY --due DATE")


@app.command("list")
def list_clients(as_json: Json = False) -> None:
    """Every client with what it owes."""
    from sqlalchemy import text

    query = text(
        "SELECT c.id, c.name, c.locale, c.timezone, c.country,"
        " count(i.id) FILTER (WHERE i.status = 'open') AS open_invoices"
        " FROM clients c LEFT JOIN invoices i ON i.client_id = c.id GROUP BY c.id ORDER BY c.name, c.id"
    )
    with open_runtime() as runtime, runtime.db.transaction() as session:
        rows = [dict(row) for row in session.execute(query).mappings()]
    if as_json:
        print_json(rows)
        return
    columns = ["id>", "name", "locale", "timezone", "country", "open_invoices>"]
    cells = [[row[column.rstrip(">")] for column in columns] for row in rows]
    print_table("Clients", columns, cells, empty="No client yet: nudgepay clients add NAME EMAIL, or import FILE")


@app.command()
def statement(
    client: Annotated[str, typer.Argument(help="The client's id, external id or name.")],
    send: Annotated[
        bool, typer.Option("--send", help="Send it to the billing contact, in the sending hours.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """How a client's account stands: what is open, what came in lately. Sends it when asked to."""
    from dataclasses import asdict

    from nudgepay.invoices.queries import client_by_name
    from nudgepay.nudges.calendars import local_day
    from nudgepay.nudges.mailings.statements import request_statement
    from nudgepay.nudges.terms import terms_of
    from nudgepay.payments.account import account_of

    now = instant(None)
    with open_runtime() as runtime:
        with runtime.db.transaction() as session:
            found = client_by_name(session, client)
            account = account_of(session, found.id, today=local_day(now, found.timezone), now=now)
        if as_json:
            print_json(asdict(account))
        else:
            _show_account(account)
        if not send:
            return
        if not yes:
            typer.confirm("Send this to the billing contact?", abort=True, err=True)
        with runtime.db.transaction() as session:
            found = client_by_name(session, client)
            made = request_statement(session, found, terms=terms_of(runtime.settings), now=now)
    say("It goes with the next run of send_mailings." if made else "Today's statement was asked for already.")


def _show_account(account: "Account") -> None:
    from nudgepay.money import format_money

    for one in account.currencies:
        cells = [
            (item.number, item.due_on, item.days_overdue if item.days_overdue > 0 else "", money)
            for item in one.items
            if (money := format_money(item.remaining, one.currency, "en"))
        ]
        print_table(
            f"{account.client}, {account.on}, {one.currency}",
            ["invoice", "due", "days late>", "open>"],
            cells,
            empty="Nothing is open.",
        )
        amounts = [("open", one.open), ("overdue", one.overdue), ("credit", one.credit)]
        print("  " + ", ".join(f"{name} {format_money(minor, one.currency, 'en')}" for name, minor in amounts))
        for receipt in one.receipts:
            print(f"  {receipt.on}  {receipt.kind:<10} {format_money(receipt.amount, one.currency, 'en')}")
    if not account.currencies:
        print(f"{account.client} owes nothing and has paid nothing lately.")


@contacts.command("add")
def add_person(
    client: Annotated[str, typer.Argument(help="The client's id, external id or name.")],
    name: Annotated[str, typer.Argument(help="The person's name.")],
    email: Annotated[str, typer.Argument(help="The person's address.")],
    role: Annotated[str, typer.Option(help="billing, approver or copy.")] = "billing",
    locale: Annotated[str | None, typer.Option(help="If it differs from the client's.")] = None,
    timezone: Annotated[str | None, typer.Option(help="If it differs from the client's.")] = None,
) -> None:
    """Add a person at a client."""
    from nudgepay import clock
    from nudgepay.invoices.actions import add_contact, wake
    from nudgepay.invoices.queries import client_by_name

    with open_runtime() as runtime, runtime.db.transaction() as session:
        found = client_by_name(session, client)
        person = add_contact(
            session,
            client_id=found.id,
            name=name,
            email=email,
            role=role,
            locale=locale,
            timezone=timezone,
            actor=actor(),
        )
        wake(session, now=clock.now(), client_id=found.id)
    print(f"Contact {person.id} added to {found.name}.")


@contacts.command("list")
def list_people(
    client: Annotated[str, typer.Argument(help="The client's id, external id or name.")], as_json: Json = False
) -> None:
    """The people of one client, and whether they may be written to."""
    from nudgepay import clock
    from nudgepay.invoices.queries import client_by_name
    from nudgepay.nudges.queries import load_clients

    with open_runtime() as runtime, runtime.db.transaction() as session:
        found = client_by_name(session, client)
        people = load_clients(session, [found.id], now=clock.now())[found.id].contacts
    rows = [
        {"id": one.id, "name": one.name, "email": one.email, "role": one.role, "blocked": one.blocked}
        for one in people
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        found.name,
        ["id>", "name", "email", "role", "blocked"],
        [list(row.values()) for row in rows],
        empty="Nobody is written to: nudgepay contacts add CLIENT NAME EMAIL",
    )
