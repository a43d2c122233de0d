"""`nudgepay statements`: read, look, confirm, ignore; what is asked, and how it exits."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from cli.conftest import Command
from nudgepay.cli.main import app
from nudgepay.db import Database
from nudgepay.errors import NotFound, UsageError
from nudgepay.payments.statements.actions import LineDecided, SameTransfer, WouldOverpay
from nudges.books import make_client, make_invoice

HEADER = "booked_on,amount,currency,counterparty,reference,purpose,id"


@pytest.fixture
def statement(db: Database, tmp_path: Path) -> Path:
    ada, bolt = make_client(db, "ada"), make_client(db, "bolt")
    make_invoice(db, ada, "A-1")
    make_invoice(db, ada, "A-2", amount=7_000)
    make_invoice(db, bolt, "B-1", amount=5_000)
    rows = [
        "2026-03-09,100.00,EUR,Ada,,Rechnung A-1,",
        "2026-03-09,50.00,EUR,Someone,,Rechnung B-1,",
        "2026-03-10,80.00,EUR,Ada [/red] [bold],,A-2,",
        "2026-03-11,3.00,EUR,Nobody,,Zinsen,",
        "2026-03-11,-3.00,EUR,Nobody,,Gebuehr,",
    ]
    file = tmp_path / "statement.csv"
    file.write_text("\n".join([HEADER, *rows, ""]))
    return file


@pytest.fixture
def lines(command: Command, statement: Path) -> dict[str, int]:
    command("statements", "import", str(statement))
    return {one["purpose"]: one["line"] for one in json.loads(command("statements", "list", "--json"))}


def answer(words: list[str], given: str) -> Any:
    return CliRunner().invoke(app, words, input=given)


def paid(db: Database) -> dict[str, int]:
    with db.transaction() as session:
        return {row[0]: row[1] for row in session.execute(text("SELECT number, amount_paid FROM invoices"))}


def test_an_import_says_what_it_kept_and_the_same_file_again_adds_nothing(command: Command, statement: Path) -> None:
    dry = json.loads(command("statements", "import", str(statement), "--dry-run", "--json"))
    first = json.loads(command("statements", "import", str(statement), "--json"))
    assert dry == first
    assert (first["format"], first["kept"], first["known"], first["debits"], first["errors"]) == ("csv", 4, 0, 1, [])
    told = command("statements", "import", str(statement))
    assert "0 lines are kept, 4 were known already; 1 debits" in told


def test_the_list_says_how_sure_each_proposal_is_and_why(command: Command, lines: dict[str, int]) -> None:
    found = {one["purpose"]: one for one in json.loads(command("statements", "list", "--json"))}
    assert {purpose: one["proposal"]["confidence"] for purpose, one in found.items()} == {
        "Rechnung A-1": "sure",
        "Rechnung B-1": "sure",
        "A-2": "likely",
        "Zinsen": "none",
    }
    too_much = found["A-2"]["proposal"]
    assert (too_much["parts"], too_much["left"]) == ([{"invoice": "A-2", "amount": 7_000}], 1_000)
    assert "too much: €10.00 more than is open" in too_much["reasons"]
    assert found["Zinsen"]["proposal"]["reasons"] == ["no open invoice has its number, amount or payer"]
    shown = command("statements", "list")
    assert "[/red]" in shown
    assert "[bold]" in shown


def test_a_proposal_is_shown_and_booked_only_after_a_yes(
    db: Database, command: Command, lines: dict[str, int]
) -> None:
    refused = answer(["statements", "confirm", str(lines["Rechnung A-1"])], "n\n")
    assert refused.exit_code == 1
    assert "€100.00 for A-1, on which €100.00 is open" in refused.stdout
    assert "Proposed as sure: names A-1, the amount is what is open" in refused.stdout
    assert paid(db)["A-1"] == 0
    agreed = answer(["statements", "confirm", str(lines["Rechnung A-1"])], "y\n")
    assert agreed.exit_code == 0
    assert "payments undo" in agreed.stdout
    assert paid(db)["A-1"] == 10_000
    with pytest.raises(LineDecided):
        command("statements", "confirm", str(lines["Rechnung A-1"]), "--yes")


def test_all_sure_lines_are_confirmed_after_one_look_and_no_others(
    db: Database, command: Command, lines: dict[str, int]
) -> None:
    assert answer(["statements", "confirm", "--sure"], "n\n").exit_code == 1
    assert paid(db) == {"A-1": 0, "A-2": 0, "B-1": 0}
    told = command("statements", "confirm", "--sure", "--yes")
    assert "2 payments are booked, 0 are not." in told
    assert paid(db) == {"A-1": 10_000, "A-2": 0, "B-1": 5_000}
    assert "No line is sure." in command("statements", "confirm", "--sure", "--yes")


def test_two_sure_lines_for_one_invoice_book_the_first_and_tell_of_the_second(
    db: Database, command: Command, statement: Path
) -> None:
    statement.write_text(
        statement.read_text().replace("2026-03-10,80.00", "2026-01-10,100.00").replace(",A-2,", ",A-1,")
    )
    command("statements", "import", str(statement))
    done = answer(["statements", "confirm", "--sure", "--yes"], "")
    assert done.exit_code == 1
    assert "2 payments are booked, 1 are not." in done.stdout
    assert "only €0.00 is open now" in done.stderr
    assert paid(db)["A-1"] == 10_000


def test_a_sure_line_that_looks_like_a_payment_on_the_books_is_left_for_a_person(
    db: Database, command: Command, lines: dict[str, int]
) -> None:
    command("payments", "record", "A-2", "20.00", "--on", "2026-03-08")
    command("payments", "record", "A-2", "100.00", "--on", "2026-03-08")
    assert "1 payments are booked" in command("statements", "confirm", "--sure", "--yes")
    with pytest.raises(SameTransfer):
        command("statements", "confirm", str(lines["Rechnung A-1"]), "--yes")
    assert "it needs --again" in command("statements", "confirm", str(lines["Rechnung A-1"]), "--yes", "--again")
    assert paid(db)["A-1"] == 10_000


def test_parts_by_hand_and_credit_need_their_words(db: Database, command: Command, lines: dict[str, int]) -> None:
    line = str(lines["A-2"])
    with pytest.raises(WouldOverpay) as refused:
        command("statements", "confirm", line, "--yes")
    assert refused.value.exit_code == 3
    with pytest.raises(WouldOverpay):
        command("statements", "confirm", line, "A-2=80.00", "--yes")
    told = command("statements", "confirm", line, "A-2=70.00", "A-1=10.00", "--yes")
    assert "€10.00 for A-1, now partially_paid, €90.00 open" in told
    assert paid(db) == {"A-1": 1_000, "A-2": 7_000, "B-1": 0}


def test_a_line_without_a_proposal_must_be_told_its_invoices(command: Command, lines: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="NUMBER=AMOUNT"):
        command("statements", "confirm", str(lines["Zinsen"]), "--yes")
    with pytest.raises(UsageError, match="name one line, or say --sure"):
        command("statements", "confirm")
    with pytest.raises(UsageError, match="name one line, or say --sure"):
        command("statements", "confirm", "1", "--sure")
    with pytest.raises(NotFound):
        command("statements", "confirm", "999", "--yes")


def test_an_ignored_line_leaves_the_list_and_comes_back(command: Command, lines: dict[str, int]) -> None:
    line = str(lines["Zinsen"])
    assert f"statements reopen {line}" in command("statements", "ignore", line, "--reason", "interest")
    assert len(json.loads(command("statements", "list", "--json"))) == 3
    everything = {one["line"]: one for one in json.loads(command("statements", "list", "--all", "--json"))}
    assert (everything[int(line)]["state"], everything[int(line)]["reason"]) == ("ignored", "interest")
    assert "interest" in command("statements", "list", "--all")
    with pytest.raises(LineDecided):
        command("statements", "ignore", line)
    command("statements", "reopen", line)
    assert len(json.loads(command("statements", "list", "--json"))) == 4


def test_an_undone_payment_shows_its_line_again(command: Command, lines: dict[str, int]) -> None:
    command("statements", "confirm", str(lines["Rechnung A-1"]), "--yes")
    assert len(json.loads(command("statements", "list", "--json"))) == 3
    (fact,) = json.loads(command("payments", "list", "--json"))
    command("payments", "undo", str(fact["id"]))
    assert len(json.loads(command("statements", "list", "--json"))) == 4


def test_a_bad_file_exits_with_1_and_names_line_and_column(command: Command, statement: Path) -> None:
    statement.write_text(statement.read_text().replace("100.00", "x"))
    shown = answer(["statements", "import", str(statement)], "")
    told = answer(["statements", "import", str(statement), "--json"], "")
    assert (shown.exit_code, told.exit_code) == (1, 1)
    (fault,) = json.loads(told.stdout)["errors"]
    assert (fault["line"], fault["column"], fault["code"]) == (2, "amount", "amount")
    assert json.loads(command("statements", "list", "--json")) == []
    assert "Read a statement" in command("statements", "list")


def test_columns_of_another_bank_are_told_by_map(command: Command, statement: Path) -> None:
    statement.write_text("Tag;Summe;Text\n09.03.2026;1.000,00;A-1\n")
    with pytest.raises(UsageError, match="--map COLUMN=booked_on"):
        command("statements", "import", str(statement))
    options = ["--map", "Tag=booked_on", "--map", "Summe=amount", "--map", "Text=purpose", "--locale", "de"]
    told = command(
        "statements", "import", str(statement), *options, "--currency", "EUR", "--account", "DE1", "--json"
    )
    assert json.loads(told)["kept"] == 1
