"""The commands that read and write files, run in this process."""

import csv
import io
import json
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from cli.conftest import Command
from nudgepay.cli.main import app
from nudgepay.db import Database
from nudgepay.errors import NotFound, UsageError
from nudgepay.invoices.exporting.files import FileExists

OURS = "client_name,client_email,invoice_number,due_on,currency,amount\nAcme,ap@acme.example,A-1,2030-01-31,EUR,1234.50\n"
THEIRS = "Kunde;Mail;Nr;Termin;Summe\nBolt;ap@bolt.example;B-1;31.01.2030;1.234,50\n"
MAP = ["Kunde=client_name", "Mail=client_email", "Nr=invoice_number", "Termin=due_on", "Summe=amount"]
MAPPED = [word for item in MAP for word in ("--map", item)]


@pytest.fixture
def ours(tmp_path: Path) -> str:
    path = tmp_path / "ours.csv"
    path.write_text(OURS)
    return str(path)


@pytest.fixture
def theirs(tmp_path: Path) -> str:
    path = tmp_path / "theirs.csv"
    path.write_text(THEIRS)
    return str(path)


def numbers(db: Database) -> list[str]:
    with db.transaction() as session:
        return list(session.scalars(text("SELECT number FROM invoices ORDER BY number")))


def test_a_dry_run_shows_the_first_invoices_as_understood(db: Database, command: Command, ours: str) -> None:
    told = command("import", ours, "--dry-run")
    assert "Acme" in told
    assert "1,234.50" in told
    assert "1 invoices would be created" in told
    (shown,) = json.loads(command("import", ours, "--dry-run", "--json"))["preview"]
    assert (shown["line"], shown["number"], shown["due"]) == (2, "A-1", "2030-01-31")
    assert numbers(db) == []


def test_a_mapping_is_kept_with_the_import_and_used_by_itself_next_time(
    db: Database, command: Command, theirs: str
) -> None:
    told = command("import", theirs, *MAPPED, "--locale", "de", "--currency", "EUR", "--dry-run")
    assert "--save-as" in told
    command("import", theirs, *MAPPED, "--locale", "de", "--currency", "EUR", "--save-as", "haus")
    assert numbers(db) == ["B-1"]
    told = command("import", theirs)
    assert "saved mapping haus" in told
    assert "1 are unchanged" in told
    assert json.loads(command("import", theirs, "--json"))["recognised"] == "haus"


def test_a_dry_run_or_a_fault_keeps_no_mapping(db: Database, command: Command, theirs: str) -> None:
    command("import", theirs, *MAPPED, "--locale", "de", "--currency", "EUR", "--save-as", "haus", "--dry-run")
    result = CliRunner().invoke(app, ["import", theirs, *MAPPED, "--currency", "EUR", "--save-as", "haus"])
    assert result.exit_code == 1
    assert json.loads(command("mappings", "list", "--json")) == []
    with pytest.raises(UsageError, match="--map"):
        command("import", theirs, "--save-as", "haus")


def test_mappings_are_saved_shown_replaced_and_deleted(command: Command) -> None:
    command("mappings", "save", "haus", *MAPPED, "--locale", "de")
    command("mappings", "save", "haus", *MAPPED, "--locale", "de-AT", "--currency", "eur")
    (found,) = json.loads(command("mappings", "list", "--json"))
    assert (found["locale"], found["currency"], found["columns"]["Summe"]) == ("de-AT", "EUR", "amount")
    assert "Summe" in command("mappings", "show", "haus")
    assert "stripe" in command("mappings", "list")
    command("mappings", "delete", "haus")
    with pytest.raises(NotFound):
        command("mappings", "show", "haus")
    with pytest.raises(UsageError, match="colour"):
        command("mappings", "save", "haus", "--map", "A=colour")


def test_books_go_out_to_a_file_and_to_standard_output(
    db: Database, command: Command, ours: str, tmp_path: Path
) -> None:
    command("import", ours)
    rows = list(csv.DictReader(io.StringIO(command("export", "invoices"))))
    assert (rows[0]["invoice_number"], rows[0]["amount"], rows[0]["status"]) == ("A-1", "1234.50", "open")
    assert json.loads(command("export", "clients", "--json"))[0]["name"] == "Acme"
    for name, option in (("books.csv", "--csv"), ("books.xlsx", "--xlsx")):
        path = str(tmp_path / name)
        command("export", "invoices", option, path)
        with pytest.raises(FileExists):
            command("export", "invoices", option, path)
        command("export", "invoices", option, path, "--force")
        assert "1 are unchanged" in command("import", path)
    for what in ("payments", "letters"):
        assert json.loads(command("export", what, "--json")) == []
    with db.transaction() as session:
        audited = session.execute(text("SELECT count(*) FROM audit_events WHERE action = 'export.run'")).scalar()
    assert audited == 8


def test_only_one_kind_and_one_form_is_exported(command: Command, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="clients, invoices"):
        command("export", "secrets")
    with pytest.raises(UsageError, match="only one"):
        command("export", "clients", "--json", "--csv", str(tmp_path / "a.csv"))
    with pytest.raises(UsageError, match="directory"):
        command("export", "clients", "--csv", str(tmp_path / "missing" / "a.csv"))
