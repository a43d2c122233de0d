"""Amounts too large, too fine or not there at all, at every door through which money enters (A47)."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.errors import UsageError
from nudgepay.invoices.actions import create_invoice
from nudgepay.invoices.importing.fields import Defaults
from nudgepay.money import MAX_MINOR_UNITS
from nudgepay.nudges.disputes import open_dispute
from nudgepay.payments.actions import record_payment
from nudgepay.payments.bank import allocate_by_hand, record_transfer
from nudgepay.payments.importing import run_import
from nudges.books import MONDAY, make_client, make_invoice, outbox_of, plan_all, send, value
from payments.conftest import Books

BEYOND = [2**63, 2**63 - 1, 10**30, MAX_MINOR_UNITS + 1, 0, -1, -(2**63)]
WRITTEN = [
    "92233720368547758.08",
    "9" * 40,
    "10000000000000.01",
    "0",
    "-0.01",
    "0.001",
    "1e3",
    "NaN",
    "",
    "1" + "0" * 5_000,
]
HEADER = "client_name,client_email,invoice_number,issued_on,due_on,currency,amount,amount_paid"


def owe(db: Database, client_id: int, amount: int, number: str = "X-1") -> None:
    with db.transaction() as session:
        create_invoice(
            session,
            client_id=client_id,
            number=number,
            currency="EUR",
            amount_due=amount,
            issued_on=date(2026, 2, 1),
            due_on=MONDAY.date(),
            now=MONDAY,
            actor="t",
        )


def book(db: Database, client_id: int, amount: int, name: str = "b") -> None:
    invoice_id = value(db, "SELECT min(id) FROM invoices")
    with db.transaction() as session:
        record_payment(
            session,
            client_id=client_id,
            amount=amount,
            currency="EUR",
            provider="manual",
            provider_id=name,
            kind="manual",
            occurred_at=MONDAY,
            targets=[{"invoice_id": invoice_id, "amount": amount}],
            actor="t",
            now=MONDAY,
        )


@pytest.mark.parametrize("amount", BEYOND)
def test_no_door_for_minor_units_takes_more_than_the_books_can_hold(db: Database, amount: int) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1")
    doors: list[Callable[[], object]] = [
        lambda: owe(db, client_id, amount),
        lambda: book(db, client_id, amount),
        lambda: contest(db, amount),
    ]
    for door in doors:
        with pytest.raises(UsageError, match="amount"):
            door()
    assert value(db, "SELECT count(*) FROM invoices") == 1
    assert value(db, "SELECT count(*) FROM money_facts") + value(db, "SELECT count(*) FROM disputes") == 0


def contest(db: Database, amount: int) -> None:
    with db.transaction() as session:
        open_dispute(session, invoice_id=1, amount=amount, now=MONDAY, actor="t", source="page")


@pytest.mark.parametrize("written", WRITTEN)
def test_no_door_for_written_amounts_takes_what_it_cannot_hold_exactly(db: Database, written: str) -> None:
    client_id = make_client(db)
    make_invoice(db, client_id, "A-1")
    with pytest.raises(UsageError), db.transaction() as session:
        record_transfer(session, numbers=["A-1"], amount=written, occurred_at=MONDAY, now=MONDAY, actor="t")
    with db.transaction() as session:
        credit = record_transfer(session, numbers=["A-1"], amount="5.00", occurred_at=MONDAY, now=MONDAY, actor="t")
    if written != "0":
        with pytest.raises(UsageError), db.transaction() as session:
            allocate_by_hand(session, credit.fact_id, [f"A-1={written}"], now=MONDAY, actor="t")
    table = f"{HEADER}\nAcme,ap@acme.example,B-1,2026-02-01,2026-04-01,EUR,{written},\n"
    report = run_import(db, table.encode(), defaults=Defaults("en", "UTC", "DE"), now=MONDAY, actor="t")
    assert [fault.column for fault in report.errors] == ["amount"]
    assert value(db, "SELECT sum(amount) FROM money_facts") == value(db, "SELECT sum(amount) FROM allocations") == 500


@pytest.mark.parametrize("told", [2**63, 10**40, 10**400, 1.5, "10000", True, None, [], -1])
def test_an_event_that_tells_an_impossible_amount_pays_nothing(books: Books, told: Any) -> None:
    books.fake.pay(books.click())
    done = next(e for e in books.fake.store.events if e["type"] == "checkout.session.completed")
    done["data"]["object"]["amount_total"] = told
    books.receive(done)
    assert (books.invoice().status, books.invoice().amount_paid) == ("open", 0)
    assert books.invoice().money_state == "needs_review"


def test_the_largest_amounts_add_up_to_the_unit(db: Database, settings: Settings) -> None:
    client_id = make_client(db)
    for n in range(12):
        make_invoice(db, client_id, f"A-{n}", amount=MAX_MINOR_UNITS - n)
    book(db, client_id, MAX_MINOR_UNITS)
    assert value(db, "SELECT sum(amount_remaining) FROM invoices") == 11 * MAX_MINOR_UNITS - 66
    plan_all(db)
    send(db, settings)
    (letter,) = outbox_of(settings).directory.glob("*.eml")
    assert "€109,999,999,999,999.34" in letter.read_text().replace("=\n", "").replace("=E2=82=AC", "€")
