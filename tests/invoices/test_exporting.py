"""An export is exact, runs nothing where it is opened, appears whole or not at all, and can be read again."""

import csv
import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from sqlalchemy import text

from invoices.books_from_files import COLUMNS, NOW, count, invoices, take
from nudgepay.db import Database
from nudgepay.invoices.exporting.cells import Table, csv_text, is_risky
from nudgepay.invoices.exporting.files import FileExists, whole_file
from nudgepay.invoices.exporting.streaming import stream_rows
from nudgepay.invoices.exporting.tables import CLIENTS, INVOICES
from nudgepay.invoices.exporting.writing import write_csv_file, write_json, write_xlsx
from nudgepay.invoices.importing.cells import unquoted
from nudgepay.nudges.exporting import LETTERS
from nudgepay.payments.exporting import PAYMENTS

NAMES = [
    "=HYPERLINK(1)",
    "+1",
    "-2+3",
    "@SUM(A1)",
    "＝cmd",
    "'=quoted",
    "''+twice",
    "'plain",
    'Müller, "Öl" & Söhne',
    "0042",
]


def fill(db: Database) -> None:
    """Clients with every kind of name; in three currencies; open, partly paid, paid, void."""
    rows = [
        [name, f"ap{n}@c.example", f"={n}", "2026-02-01", "2026-04-01", currency, amount, paid]
        for n, name in enumerate(NAMES)
        for currency, amount, paid in [
            (("EUR", "1234.56", "234.56"), ("JPY", "5000", ""), ("KWD", "1.234", "1.234"))[n % 3]
        ]
    ]
    stream = io.StringIO()
    csv.writer(stream).writerows([COLUMNS, *rows])
    report = take(db, stream.getvalue().encode())
    assert report.errors == []
    with db.transaction() as session:
        session.execute(text("UPDATE invoices SET status = 'void' WHERE number = '=1'"))


def exported(db: Database, table: Table, path: Path) -> Path:
    with (
        db.transaction() as session,
        whole_file(path, force=False) as stream,
        stream_rows(session, table) as rows,
    ):
        if path.suffix == ".xlsx":
            write_xlsx(stream, table.name, table.columns, rows)
        else:
            write_csv_file(stream, table.columns, rows)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_an_export_of_invoices_can_be_read_again_and_changes_nothing(
    db: Database, tmp_path: Path, suffix: str
) -> None:
    fill(db)
    before = invoices(db)
    report = take(db, exported(db, INVOICES, tmp_path / f"books{suffix}"))
    assert (report.recognised, report.errors) == ("nudgepay", [])
    assert (report.created, report.updated, report.unchanged, report.passed_over) == (
        0,
        0,
        len(NAMES) - 1,
        {"void": 1},
    )
    assert invoices(db) == before
    assert count(db, "clients") == len(NAMES)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_an_export_fills_an_empty_installation_with_the_same_books(db: Database, tmp_path: Path, suffix: str) -> None:
    fill(db)
    wanted = {
        number: (
            row["client"],
            row["amount_due"],
            row["amount_paid"],
            row["currency"],
            row["due_on"],
            row["money_state"],
        )
        for number, row in invoices(db).items()
        if row["status"] != "void"
    }
    path = exported(db, INVOICES, tmp_path / f"books{suffix}")
    with db.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text("TRUNCATE clients CASCADE"))
    assert take(db, path).created == len(wanted)
    found = {
        number: (
            row["client"],
            row["amount_due"],
            row["amount_paid"],
            row["currency"],
            row["due_on"],
            row["money_state"],
        )
        for number, row in invoices(db).items()
    }
    assert found == wanted


def test_no_cell_of_a_csv_export_begins_with_a_sign_that_runs(db: Database, tmp_path: Path) -> None:
    fill(db)
    for table in (CLIENTS, INVOICES, PAYMENTS, LETTERS):
        content = exported(db, table, tmp_path / f"{table.name}.csv").read_text(encoding="utf-8-sig")
        header, *rows = csv.reader(io.StringIO(content, newline=""))
        assert tuple(header) == table.columns
        assert [cell for row in rows for cell in row if cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))] == []
        assert len(rows) == count(db, {"payments": "money_facts"}.get(table.name, table.name))


def test_a_workbook_holds_texts_numbers_and_days_and_no_formula(db: Database, tmp_path: Path) -> None:
    fill(db)
    sheet = load_workbook(exported(db, INVOICES, tmp_path / "books.xlsx")).active
    header, *rows = sheet.iter_rows()
    at = {cell.value: cell.column - 1 for cell in header}
    assert [row[at["client_name"]].value for row in rows] == NAMES
    assert {row[at["client_name"]].data_type for row in rows} == {"s"}
    assert [row[at["client_name"]].quotePrefix for row in rows[:3]] == [True, True, True]
    assert {cell.data_type for row in rows for cell in row} <= {"s", "n", "d"}
    assert (rows[0][at["amount"]].value, rows[0][at["amount"]].number_format) == (1234.56, "0.00")
    assert rows[2][at["amount"]].number_format == "0.000"
    assert rows[0][at["due_on"]].value.isoformat() == "2026-04-01T00:00:00"


def test_json_tells_amounts_as_exact_texts(db: Database) -> None:
    fill(db)
    stream = io.StringIO()
    with db.transaction() as session, stream_rows(session, INVOICES) as rows:
        assert write_json(stream, INVOICES.columns, rows) == len(NAMES)
    found = json.loads(stream.getvalue())
    assert [row["amount"] for row in found[:3]] == ["1234.56", "5000", "1.234"]
    assert found[0]["client_name"] == "=HYPERLINK(1)"
    empty = io.StringIO()
    with db.transaction() as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text("TRUNCATE clients CASCADE"))
        with stream_rows(session, INVOICES) as rows:
            write_json(empty, INVOICES.columns, rows)
    assert json.loads(empty.getvalue()) == []


@given(st.text(min_size=1))
def test_what_writing_puts_before_a_text_reading_takes_off(name: str) -> None:
    written = csv_text(name.strip())
    assert unquoted(written) == name.strip()
    assert not is_risky(written) or written.startswith("'")


def test_a_file_is_private_and_never_written_over_unasked(tmp_path: Path) -> None:
    path = tmp_path / "books.csv"
    with whole_file(path, force=False) as stream:
        stream.write(b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExists, match="--force"), whole_file(path, force=False) as stream:
        stream.write(b"two")
    with whole_file(path, force=True) as stream:
        stream.write(b"two")
    assert (path.read_bytes(), [file.name for file in tmp_path.iterdir()]) == (b"two", ["books.csv"])


def test_a_file_that_came_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "books.csv"
    with pytest.raises(FileExists), whole_file(path, force=False) as stream:
        stream.write(b"mine")
        path.write_bytes(b"theirs")
    assert (path.read_bytes(), len(list(tmp_path.iterdir()))) == (b"theirs", 1)


def test_a_failure_midway_leaves_nothing_behind(db: Database, tmp_path: Path) -> None:
    fill(db)

    def torn(rows: Any) -> Any:
        yield next(rows)
        raise OSError("the disk is full")

    with (
        pytest.raises(OSError, match="full"),
        db.transaction() as session,
        stream_rows(session, INVOICES) as rows,
        whole_file(tmp_path / "books.csv", force=False) as stream,
    ):
        write_csv_file(stream, INVOICES.columns, torn(rows))
    assert list(tmp_path.iterdir()) == []


def test_a_payment_names_its_invoices(db: Database, tmp_path: Path) -> None:
    fill(db)
    path = exported(db, PAYMENTS, tmp_path / "payments.csv")
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    first = rows[0]
    assert (first["amount"], first["amount_allocated"], first["currency"]) == ("234.56", "234.56", "EUR")
    assert (first["invoice_numbers"], first["occurred_at"]) == ("'=0", NOW.isoformat())
