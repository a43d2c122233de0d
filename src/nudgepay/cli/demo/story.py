"""What happens: letters go out for days, one client pays by card, one by bank, and their chase falls silent."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Console
from sqlalchemy import text

from nudgepay.automation.context import JobContext
from nudgepay.automation.jobs import run_apply_events, run_close_months
from nudgepay.cli.demo.clock_of_story import passes, story_start
from nudgepay.cli.demo.sample import SampleBooks, load_sample_books
from nudgepay.cli.demo.stage import Stage
from nudgepay.invoices.queries import invoice_by_number
from nudgepay.money import format_money
from nudgepay.nudges.passes import PassReport, run_pass
from nudgepay.nudges.promises import settle_promises
from nudgepay.nudges.terms import terms_of
from nudgepay.payments.bank import record_transfer
from nudgepay.payments.pay_link import PayPage, open_checkout

ACTOR = "demo"
PAYMENT_DAY = 2


@dataclass(slots=True)
class Told:
    """What the story came to."""

    letters: int = 0
    passes: int = 0


def tell(stage: Stage, console: Console, *, now: datetime) -> Told:
    """The first run: from empty books to today."""
    start = story_start(now)
    with stage.runtime.db.transaction() as session:
        books = load_sample_books(session, start=start)
    _done(
        console,
        f"{books.clients} clients, {books.invoices} open invoices in five currencies,"
        f" {books.paid_before} that were paid in the half-year before",
    )
    told = Told()
    turn = start + timedelta(days=PAYMENT_DAY)
    _go_through(stage, console, told, list(passes(start, turn)), "Two days of passes")
    _pay_by_card(stage, console, books, turn)
    _pay_by_transfer(stage, console, books, turn)
    _go_through(stage, console, told, [*passes(turn, now), now], "Four more days of passes")
    run_close_months(JobContext(stage.runtime, now, ACTOR))
    return told


def tell_again(stage: Stage, console: Console, *, now: datetime) -> Told:
    """A later run: the books are as they were left; one pass more, and nothing goes twice."""
    told = Told()
    _go_through(stage, console, told, [now], "One pass over the books of last time")
    return told


def run_one_pass(stage: Stage, *, now: datetime) -> PassReport:
    """Plan and send at a business instant, as the worker does."""
    runtime = stage.runtime
    with runtime.db.transaction() as session:
        settle_promises(session, now=now)
    return run_pass(
        runtime.db,
        transport=runtime.mail,
        receipts=runtime.receipts,
        terms=terms_of(runtime.settings),
        environment=runtime.settings.environment,
        now=now,
        actor=ACTOR,
        wait_seconds=10,
        alone=True,
    )


def _go_through(stage: Stage, console: Console, told: Told, instants: list[datetime], what: str) -> None:
    before = told.letters
    with console.status(f"{what} ...") as status:
        for instant in instants:
            report = run_one_pass(stage, now=instant)
            told.passes += 1
            told.letters += len(report.sending.letters)
            status.update(f"{what}: {instant:%a %d %b %H:%M} UTC, {told.letters} letters so far")
    _done(console, f"{what}: {told.letters - before} letters into {stage.runtime.settings.nudgepay_home}/outbox")


def _pay_by_card(stage: Stage, console: Console, books: SampleBooks, now: datetime) -> None:
    """The payer's click, Stripe's page, Stripe's signed event over HTTP, the books."""
    runtime = stage.runtime
    if runtime.stripe is None:
        return
    with runtime.db.transaction() as session:
        invoice = invoice_by_number(session, books.paid_by_card)
        amount = format_money(invoice.amount_remaining, invoice.currency, "en")
    link = f"{stage.url}/p/{invoice.token}"
    page = PayPage(
        key=f"invoice:{invoice.id}",
        client_id=invoice.client_id,
        invoice_ids=(invoice.id,),
        currency=invoice.currency,
        locale="en",
        description=f"Invoice {invoice.number}",
    )
    url = open_checkout(
        runtime.db, runtime.stripe, page=page, amount=None, success_url=f"{link}?paid=1", cancel_url=link, now=now
    )
    stage.stripe.pay(url.rsplit("/", 1)[1])
    delivered = stage.stripe.deliveries.deliver_waiting()
    run_apply_events(JobContext(runtime, now, ACTOR))
    _done(console, f"{amount} paid by card for {invoice.number}: {delivered} signed events taken and applied")


def _pay_by_transfer(stage: Stage, console: Console, books: SampleBooks, now: datetime) -> None:
    with stage.runtime.db.transaction() as session:
        invoice = invoice_by_number(session, books.paid_by_transfer)
        amount = format_money(invoice.amount_remaining, invoice.currency, "en")
        record_transfer(
            session,
            numbers=[invoice.number],
            amount=str(invoice.amount_remaining),
            occurred_at=now,
            now=now,
            actor=ACTOR,
        )
    _done(console, f"{amount} recorded as a bank transfer for {invoice.number}")


def has_books(stage: Stage) -> bool:
    """True when an earlier run left its books here."""
    with stage.runtime.db.transaction() as session:
        return session.execute(text("SELECT 1 FROM clients LIMIT 1")).first() is not None


def _done(console: Console, what: str) -> None:
    console.print(f"[green]✓[/green] {what}")
