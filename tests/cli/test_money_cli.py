"""The commands around money, run in this process."""

import json
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from cli.conftest import Command
from nudgepay.cli.main import app
from nudgepay.db import Database
from nudgepay.errors import NotFound, UsageError
from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.invoices.models import Invoice
from nudgepay.money import AmountError
from nudgepay.payments.actions import CannotUndo
from nudgepay.payments.reviews import open_review
from nudges.books import make_client, make_invoice


@pytest.fixture
def invoices(db: Database) -> tuple[int, int]:
    client_id = make_client(db)
    return make_invoice(db, client_id, "A-1"), make_invoice(db, client_id, "A-2")


def states(db: Database) -> dict[str, tuple[str, int]]:
    with db.transaction() as session:
        rows = session.execute(text("SELECT number, money_state, amount_remaining FROM invoices ORDER BY number"))
        return {row[0]: (row[1], row[2]) for row in rows}


def test_a_transfer_over_two_invoices_is_recorded_listed_and_taken_back(
    db: Database, command: Command, invoices: tuple[int, int]
) -> None:
    due = states(db)["A-1"][1]
    told = command("payments", "record", "A-1,A-2", f"{(due + 1_000) / 100:.2f}", "--on", "2026-03-02")
    assert "partially_paid" in told
    assert states(db) == {"A-1": ("paid", 0), "A-2": ("partially_paid", due - 1_000)}
    (listed,) = json.loads(command("payments", "list", "--json"))
    assert (listed["amount"], listed["allocated"], listed["problem"]) == (due + 1_000, due + 1_000, None)
    command("payments", "undo", str(listed["id"]))
    assert states(db) == {"A-1": ("unpaid", due), "A-2": ("unpaid", due)}
    with pytest.raises(CannotUndo):
        command("payments", "undo", str(listed["id"]))
    assert json.loads(command("payments", "list", "--json"))[0]["voided_at"] is not None


def test_the_same_reference_is_booked_once(db: Database, command: Command, invoices: tuple[int, int]) -> None:
    for _ in range(2):
        command("payments", "record", "A-1", "10.00", "--reference", "SEPA-1")
    assert len(json.loads(command("payments", "list", "--json"))) == 1


def test_credit_goes_where_a_person_points_it_and_the_rest_stays(
    db: Database, command: Command, invoices: tuple[int, int]
) -> None:
    due = states(db)["A-1"][1]
    command("payments", "record", "A-1", f"{(due + 3_000) / 100:.2f}")
    assert states(db)["A-1"] == ("overpaid", 0)
    (payment,) = json.loads(command("payments", "list", "--json"))
    command("payments", "allocate", str(payment["id"]), "A-2=20")
    assert states(db) == {"A-1": ("overpaid", 0), "A-2": ("partially_paid", due - 2_000)}
    command("payments", "allocate", str(payment["id"]), "A-1=0", "A-2=30")
    assert states(db) == {"A-1": ("unpaid", due), "A-2": ("partially_paid", due - 3_000)}


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        (["A-2"], UsageError),
        (["A-2=1e3"], AmountError),
        (["A-2=-1"], UsageError),
        (["A-2=5000"], UsageError),
        (["A-2=1", "A-2=2"], UsageError),
        (["Z-9=1"], NotFound),
        (["B-1=1"], UsageError),
    ],
)
def test_an_allocation_that_cannot_be_is_refused_and_changes_nothing(
    db: Database, command: Command, invoices: tuple[int, int], parts: list[str], error: type[Exception]
) -> None:
    make_invoice(db, make_client(db, "other"), "B-1")
    command("payments", "record", "A-1", "10.00")
    (payment,) = json.loads(command("payments", "list", "--json"))
    before = states(db)
    with pytest.raises(error):
        command("payments", "allocate", str(payment["id"]), *parts)
    assert states(db) == before


def test_money_cannot_come_from_the_future_or_be_nothing(
    db: Database, command: Command, invoices: tuple[int, int]
) -> None:
    for arguments in (["A-1", "10.00", "--on", "2999-01-01"], ["A-1", "0"], ["--", "A-1", "-5"], ["A-1", "1.005"]):
        with pytest.raises(UsageError):
            command("payments", "record", *arguments)
    assert json.loads(command("payments", "list", "--json")) == []


def test_a_void_invoice_gives_its_money_back(db: Database, command: Command, invoices: tuple[int, int]) -> None:
    command("payments", "record", "A-1", "10.00")
    command("invoices", "void", "A-1")
    (payment,) = json.loads(command("payments", "list", "--json"))
    assert payment["allocated"] == 0
    command("payments", "allocate", str(payment["id"]), "A-2=10")
    assert states(db)["A-2"][0] == "partially_paid"


def test_a_doubt_is_listed_and_settled(db: Database, command: Command, invoices: tuple[int, int]) -> None:
    with db.transaction() as session:
        open_review(session, invoice_ids=invoices[:1], reason="wrong_amount", source="wrong_amount:pi_1", details={})
    (review,) = json.loads(command("reviews", "list", "--json"))
    assert (review["number"], review["reason"]) == ("A-1", "wrong_amount")
    command("reviews", "resolve", str(review["id"]), "found the missing part")
    assert json.loads(command("reviews", "list", "--json")) == []
    with pytest.raises(NotFound):
        command("reviews", "resolve", "4711", "no such doubt")


def test_a_sweep_tells_one_document_and_fails_when_the_books_differ(
    db: Database, command: Command, invoices: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError):
        command("stripe", "sweep")
    with FakeStripe() as fake:
        monkeypatch.setenv("STRIPE_SECRET_KEY", fake.api_key)
        monkeypatch.setenv("STRIPE_API_BASE", fake.url)
        assert json.loads(command("stripe", "sweep", "--json"))["drift"] == 0
        book_unknown(db, invoices[0])
        result: Any = CliRunner().invoke(app, ["stripe", "sweep", "--json"])
    assert (result.exit_code, json.loads(result.stdout)["drift"]) == (1, 1)


def book_unknown(db: Database, invoice_id: int) -> None:
    from nudgepay import clock
    from nudgepay.payments.actions import record_payment

    with db.transaction() as session:
        client_id = session.get_one(Invoice, invoice_id).client_id
        record_payment(
            session,
            client_id=client_id,
            amount=100,
            currency="EUR",
            provider="stripe",
            provider_id="pi_nobody_knows",
            kind="payment",
            occurred_at=clock.now(),
            targets=[{"invoice_id": invoice_id, "amount": 100}],
            actor="t",
            now=clock.now(),
        )
