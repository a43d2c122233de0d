"""`nudgepay payments` and `reviews`: money by hand, doubts settled."""

from datetime import UTC, datetime, time
from typing import Annotated

import typer

from nudgepay.cli.context import actor, instant, open_runtime, print_json
from nudgepay.cli.tables import print_table

app = typer.Typer(no_args_is_help=True, help="Money that came.")
reviews = typer.Typer(no_args_is_help=True, help="Doubts about money that wait for a person.")

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


@app.command()
def record(
    number: Annotated[str, typer.Argument(help="Invoice number; several separated by commas, oldest first.")],
    amount: Annotated[str, typer.Argument(help="In major units: 1234.56")],
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day on which it came.")] = None,
    reference: Annotated[
        str | None, typer.Option(help="The transfer's own reference; the same twice is booked once.")
    ] = None,
) -> None:
    """Record a bank transfer or other payment; several invoices are filled in their order."""
    from nudgepay.payments.bank import record_transfer

    with open_runtime() as runtime, runtime.db.transaction() as session:
        now = instant(None)
        booked = record_transfer(
            session,
            numbers=[part.strip() for part in number.split(",") if part.strip()],
            amount=amount,
            occurred_at=datetime.combine(on.date(), time(12), UTC) if on else now,
            reference=reference,
            now=now,
            actor=actor(),
        )
        lines = booked.lines(session)
    print(f"Payment {booked.fact_id} is booked. Take it back with: nudgepay payments undo {booked.fact_id}")
    for line in lines:
        print(f"  {line}")


@app.command()
def undo(payment: Annotated[int, typer.Argument(help="The payment's id, from `payments list`.")]) -> None:
    """Take back a payment that was recorded by hand; the row stays, struck out."""
    from nudgepay.payments.actions import undo_payment

    with open_runtime() as runtime, runtime.db.transaction() as session:
        undo_payment(session, payment, now=instant(None), actor=actor())
    print(f"Payment {payment} no longer counts.")


@app.command()
def allocate(
    payment: Annotated[int, typer.Argument(help="The payment's id, from `payments list`.")],
    parts: Annotated[list[str], typer.Argument(help="NUMBER=AMOUNT for each invoice, in order; 0 takes it off.")],
) -> None:
    """Point a payment, or credit that is left over, at other invoices."""
    from nudgepay.payments.bank import allocate_by_hand

    with open_runtime() as runtime, runtime.db.transaction() as session:
        allocate_by_hand(session, payment, parts, now=instant(None), actor=actor())
    print(f"Payment {payment} is allocated.")


@app.command("list")
def list_payments(as_json: Json = False) -> None:
    """Every money fact, newest first."""
    from sqlalchemy import text

    from nudgepay.money import format_money

    query = text(
        "SELECT f.id, f.occurred_at, c.name AS client, f.provider, f.kind, f.amount, f.currency, f.problem,"
        " f.voided_at, coalesce(sum(a.amount), 0)::bigint AS allocated FROM money_facts f"
        " JOIN clients c ON c.id = f.client_id LEFT JOIN allocations a ON a.fact_id = f.id"
        " GROUP BY f.id, c.name ORDER BY f.occurred_at DESC, f.id DESC LIMIT 1000"
    )
    with open_runtime() as runtime, runtime.db.transaction() as session:
        rows = [dict(row) for row in session.execute(query).mappings()]
    if as_json:
        print_json(rows)
        return
    print_table(
        "Payments",
        ["id>", "on", "client", "from", "kind", "amount>", "allocated>", ""],
        [
            (
                row["id"],
                row["occurred_at"].date(),
                row["client"],
                row["provider"],
                row["kind"],
                format_money(row["amount"], row["currency"], "en"),
                format_money(row["allocated"], row["currency"], "en"),
                "undone" if row["voided_at"] else row["problem"],
            )
            for row in rows
        ],
        empty="No payment yet: nudgepay payments record NUMBER AMOUNT",
    )


@reviews.command("list")
def list_reviews(as_json: Json = False) -> None:
    """Doubts that hold the chase of an invoice."""
    from sqlalchemy import text

    query = text(
        "SELECT r.id, i.number, r.reason, r.opened_at FROM reviews r JOIN invoices i ON i.id = r.invoice_id"
        " WHERE r.resolved_at IS NULL ORDER BY r.id"
    )
    with open_runtime() as runtime, runtime.db.transaction() as session:
        rows = [dict(row) for row in session.execute(query).mappings()]
    if as_json:
        print_json(rows)
        return
    cells = [list(row.values()) for row in rows]
    print_table("Reviews", ["id>", "invoice", "reason", "since"], cells, empty="No doubt about any payment.")


@reviews.command()
def resolve(
    review: Annotated[int, typer.Argument(help="The review's id.")],
    resolution: Annotated[str, typer.Argument(help="What was found, in a few words.")],
) -> None:
    """Settle a doubt: the invoice is what its facts say again, and the chase may go on."""
    from nudgepay.payments.actions import resolve_review

    with open_runtime() as runtime, runtime.db.transaction() as session:
        resolve_review(session, review, resolution=resolution, now=instant(None), actor=actor())
    print(f"Review {review} is settled.")
