"""A believable set of books: five currencies, four zones, every age, and every reason to stay silent."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from nudgepay.cli.demo.history import load_history
from nudgepay.invoices.actions import add_contact, create_client, create_invoice, pause_invoice
from nudgepay.invoices.models import Client, Invoice
from nudgepay.nudges.disputes import open_dispute
from nudgepay.nudges.promises import make_promise
from nudgepay.nudges.suppressions import suppress
from nudgepay.payments.bank import record_transfer

ACTOR = "demo"


@dataclass(frozen=True, slots=True)
class SampleClient:
    """A client, its person, and its invoices as (due in days from the story's first day, amount)."""

    name: str
    person: str
    email: str
    locale: str
    timezone: str
    country: str
    currency: str
    invoices: tuple[tuple[int, int], ...]


CLIENTS = (
    SampleClient("Bäckerei Lindner", "Klara Lindner", "klara@lindner.example", "de", "Europe/Berlin", "DE", "EUR", ((-2, 48_000), (-2, 12_500))),
    SampleClient("Northwind Traders", "Amy Collins", "amy@northwind.example", "en-GB", "Europe/London", "GB", "GBP", ((0, 129_900),)),
    SampleClient("Hudson & Park", "Marcus Reed", "marcus@hudsonpark.example", "en-US", "America/New_York", "US", "USD", ((-3, 250_000), (2, 84_000))),
    SampleClient("Kōwa Design", "Yui Tanaka", "yui@kowa.example", "ja-JP", "Asia/Tokyo", "JP", "JPY", ((-1, 380_000),)),
    SampleClient("Gulf Marine", "Salem Nasser", "salem@gulfmarine.example", "en", "Asia/Kuwait", "KW", "KWD", ((-3, 412_350),)),
    SampleClient("Alpen Sport", "Jonas Egger", "jonas@alpensport.example", "de-AT", "Europe/Vienna", "AT", "EUR", ((-4, 89_000),)),
    SampleClient("Studio Verne", "Camille Roux", "camille@verne.example", "fr", "Europe/Paris", "FR", "EUR", ((0, 63_000),)),
    SampleClient("Hansen Logistik", "Ute Hansen", "ute@hansen.example", "de", "Europe/Berlin", "DE", "EUR", ((-3, 210_000),)),
    SampleClient("Oak & Iron", "Ben Carter", "ben@oakiron.example", "en-GB", "Europe/London", "GB", "GBP", ((-6, 45_000),)),
    SampleClient("Weber Optik", "Nina Weber", "nina@weber.example", "de", "Europe/Berlin", "DE", "EUR", ((-1, 31_900),)),
    SampleClient("Bergmann GmbH", "Tom Bergmann", "tom@bergmann.example", "de", "Europe/Berlin", "DE", "EUR", ((-3, 74_000),)),
    SampleClient("Lakeside Dental", "Grace Kim", "grace@lakeside.example", "en-US", "America/New_York", "US", "USD", ((-2, 99_000),)),
    SampleClient("Stadtwerk Nord", "Paul Albers", "paul@stadtwerk.example", "de", "Europe/Berlin", "DE", "EUR", ((0, 1_500),)),
    SampleClient("Ferro Metallbau", "Ada Ferro", "ada@ferro.example", "de-CH", "Europe/Zurich", "CH", "EUR", ((-60, 540_000), (-45, 120_000))),
    SampleClient("Maple Press", "Liam Ross", "liam@maplepress.example", "en", "America/New_York", "US", "USD", ((1, 17_750),)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SampleBooks:
    """Invoice numbers of the parts that the story plays with."""

    clients: int
    invoices: int
    paid_before: int
    paid_by_card: str
    paid_by_transfer: str


def load_sample_books(session: Session, *, start: datetime) -> SampleBooks:
    """Write the books as they stood at `start` (UTC), and what people had said by then."""
    numbers: dict[str, list[str]] = {}
    serial = 100
    for sample in CLIENTS:
        client = create_client(
            session,
            name=sample.name,
            email=sample.email,
            contact_name=sample.person,
            locale=sample.locale,
            timezone=sample.timezone,
            country=sample.country,
            actor=ACTOR,
        )
        for days, amount in sample.invoices:
            serial += 1
            number = f"2026-{serial}"
            due_on = start.date() + timedelta(days=days)
            create_invoice(
                session,
                client_id=client.id,
                number=number,
                currency=sample.currency,
                amount_due=amount,
                issued_on=due_on - timedelta(days=14),
                due_on=due_on,
                now=start,
                actor=ACTOR,
                amnesty=days < -30,
            )
            numbers.setdefault(sample.name, []).append(number)
    _what_people_said(session, numbers, start)
    currencies = {sample.name: sample.currency for sample in CLIENTS}
    return SampleBooks(
        clients=len(CLIENTS),
        invoices=sum(len(found) for found in numbers.values()),
        paid_before=load_history(session, start=start, currencies=currencies, actor=ACTOR),
        paid_by_card=numbers["Northwind Traders"][0],
        paid_by_transfer=numbers["Kōwa Design"][0],
    )


def _what_people_said(session: Session, numbers: dict[str, list[str]], start: datetime) -> None:
    def invoice(name: str) -> Invoice:
        return session.query(Invoice).filter_by(number=numbers[name][0]).one()

    today = start.date()
    record_transfer(
        session, numbers=numbers["Alpen Sport"], amount="390.00", occurred_at=start, now=start, actor=ACTOR
    )
    make_promise(
        session,
        invoice_id=invoice("Hansen Logistik").id,
        promised_on=_workday(today + timedelta(days=8)),
        now=start,
        actor=ACTOR,
        source="demo",
    )
    open_dispute(
        session, invoice_id=invoice("Bergmann GmbH").id, amount=24_000, now=start, actor=ACTOR, source="demo"
    )
    suppress(session, address="ben@oakiron.example", reason="unsubscribed", source="demo", now=start, actor=ACTOR)
    pause_invoice(session, invoice("Weber Optik"), until=today + timedelta(days=10), now=start, actor=ACTOR)
    lakeside: Client = invoice("Lakeside Dental").client
    lakeside.autopay = True
    invoice("Stadtwerk Nord").client.tolerance = {"EUR": 2_000}
    hudson = invoice("Hudson & Park").client_id
    add_contact(
        session, client_id=hudson, name="Dana Fox", email="dana@hudsonpark.example", role="approver", actor=ACTOR
    )


def _workday(day: date) -> date:
    return day + timedelta(days=max(0, 7 - day.weekday())) if day.weekday() > 4 else day
