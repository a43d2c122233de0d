"""Books as they stand after some days of work: every age, five currencies, letters sent, held and unknown, money in."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import text

from nudgepay import clock
from nudgepay.cli.demo.clock_of_story import passes, story_start
from nudgepay.cli.demo.sample import load_sample_books
from nudgepay.insights.closing import run_closing
from nudgepay.invoices.queries import invoice_by_number
from nudgepay.nudges.mailings.statements import request_statement
from nudgepay.nudges.passes import run_pass
from nudgepay.nudges.promises import settle_promises
from nudgepay.nudges.switch import ensure_switch
from nudgepay.nudges.terms import terms_of
from nudgepay.payments.bank import record_transfer
from nudgepay.payments.statements.actions import confirm_line, ignore_line
from nudgepay.payments.statements.storing import import_statement
from nudgepay.runtime import Runtime


def live_in(runtime: Runtime, *, now: datetime | None = None) -> None:
    """Load the sample books and let some days pass, up to `now`."""
    now = now or clock.now()
    start = story_start(now)
    with runtime.db.transaction() as session:
        books = load_sample_books(session, start=start)
        ensure_switch(session, environment=runtime.settings.environment, actor="test")
    instants = [*passes(start, now), now]
    for number, instant in enumerate(instants):
        if number == len(instants) // 2:
            _pay(runtime, books.paid_by_transfer, instant)
        _pass(runtime, instant)
    run_closing(runtime.db, now=now, zone=ZoneInfo(runtime.settings.business_timezone))
    with runtime.db.transaction() as session:
        session.execute(
            text(
                "UPDATE letters SET state = 'unknown', accepted_at = NULL WHERE id = (SELECT id FROM letters WHERE state = 'accepted'"
                " ORDER BY sending_at DESC, id LIMIT 1)"
            )
        )
    _bring_statement(runtime, now)


def _bring_statement(runtime: Runtime, now: datetime) -> None:
    """Of yesterday: a line of every kind, one of them booked and one ignored."""
    query = "SELECT number, amount_remaining / 100.0 AS open FROM invoices WHERE status = 'open' AND currency = 'EUR'"
    with runtime.db.transaction() as session:
        open_ones = session.execute(text(f"{query} AND amount_remaining > 10000 ORDER BY id LIMIT 4")).all()
    day = (now - timedelta(days=1)).date().isoformat()
    rows = [
        (f"{open_ones[0].open:.2f}", "Lindner", f"Rechnung {open_ones[0].number}"),
        (f"{open_ones[1].open:.2f}", "M. Weber", f"Invoice {open_ones[1].number} with thanks"),
        ("40.00", "Somebody", f"{open_ones[2].number} first part"),
        (f"{open_ones[3].open + 5:.2f}", "Somebody", open_ones[3].number),
        ("7.77", "Finanzamt", "Erstattung <b>2026</b>"),
        ("0.42", "Hausbank", "Zinsen"),
    ]
    written = "".join(f"{day},{amount},EUR,{payer},,{purpose},\n" for amount, payer, purpose in rows)
    content = f"booked_on,amount,currency,counterparty,reference,purpose,id\n{written}".encode()
    import_statement(
        runtime.db, content, now=now, actor="test", account="DE89370400440532013000", name="november.csv"
    )
    with runtime.db.transaction() as session:
        lines = session.scalars(text("SELECT id FROM bank_lines ORDER BY id")).all()
        number = text("SELECT id, amount_remaining FROM invoices WHERE number = :number")
        paid = session.execute(number, {"number": open_ones[0].number}).one()
        parts = [{"invoice_id": paid.id, "amount": paid.amount_remaining}]
        confirm_line(session, lines[0], parts, now=now, actor="test")
        ignore_line(session, lines[5], now=now, actor="test", reason="interest")


def _pay(runtime: Runtime, number: str, now: datetime) -> None:
    with runtime.db.transaction() as session:
        invoice = invoice_by_number(session, number)
        record_transfer(
            session,
            numbers=[number],
            amount=str(invoice.amount_remaining),
            occurred_at=now,
            now=now,
            actor="test",
        )
        request_statement(session, invoice.client, terms=terms_of(runtime.settings), now=now)


def _pass(runtime: Runtime, now: datetime) -> None:
    with runtime.db.transaction() as session:
        settle_promises(session, now=now)
    run_pass(
        runtime.db,
        transport=runtime.mail,
        receipts=runtime.receipts,
        terms=terms_of(runtime.settings),
        environment=runtime.settings.environment,
        now=now,
        actor="test",
        wait_seconds=10,
        alone=True,
    )
