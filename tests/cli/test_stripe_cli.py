"""`nudgepay stripe`, run in this process against a Stripe that is a real server."""

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from cli.conftest import Command
from nudgepay.cli.main import app
from nudgepay.db import Database
from nudgepay.errors import UsageError
from nudgepay.gateways.fakes.stripe import FakeStripe


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStripe]:
    with FakeStripe() as server:
        monkeypatch.setenv("STRIPE_API_BASE", server.url)
        monkeypatch.setenv("STRIPE_SECRET_KEY", server.api_key)
        yield server


def bill(fake: FakeStripe, number: str, email: str | None = "payer@client.example") -> str:
    customer = fake.billing.customer(email=email, name=f"Client {number}")
    return str(fake.billing.bill(customer, number, due_date=4_000_000_000)["id"])


def count(db: Database) -> int:
    with db.transaction() as session:
        return int(session.scalar(text("SELECT count(*) FROM invoices")) or 0)


def test_open_invoices_are_brought_here_once(db: Database, command: Command, fake: FakeStripe) -> None:
    for number in ("S-1", "S-2"):
        bill(fake, number)
    assert "2 would be created" in command("stripe", "import-invoices", "--dry-run")
    assert count(db) == 0
    assert json.loads(command("stripe", "import-invoices", "--json"))["created"] == 2
    assert "0 were created, 0 updated, 2 are unchanged" in command("stripe", "import-invoices")
    assert count(db) == 2


def test_a_fault_is_shown_with_stripes_id_and_ends_with_an_error(
    db: Database, command: Command, fake: FakeStripe
) -> None:
    bill(fake, "S-1")
    bad = bill(fake, "S-2", email=None)
    told = CliRunner().invoke(app, ["stripe", "import-invoices", "--json"])
    (fault,) = json.loads(told.stdout)["errors"]
    assert (told.exit_code, fault["column"], count(db)) == (1, "customer_email", 0)
    assert fault["message"].startswith(bad)
    assert CliRunner().invoke(app, ["stripe", "import-invoices"]).exit_code == 1


def test_a_sweep_finds_what_was_paid_there(db: Database, command: Command, fake: FakeStripe) -> None:
    stripe_id = bill(fake, "S-1")
    command("stripe", "import-invoices")
    fake.billing.pay(stripe_id)
    fake.store.events.clear()
    assert json.loads(command("stripe", "sweep", "--json"))["invoices_changed"] == 1
    with db.transaction() as session:
        assert session.scalar(text("SELECT status FROM invoices")) == "paid"


@pytest.mark.parametrize("verb", ["sweep", "import-invoices"])
def test_without_a_key_there_is_no_stripe_to_ask(command: Command, verb: str) -> None:
    with pytest.raises(UsageError, match="STRIPE_SECRET_KEY"):
        command("stripe", verb)
