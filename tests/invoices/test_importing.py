"""A file is read exactly, or refused with line and column; written whole, or not at all."""

import subprocess
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.invoices.importing.conventions import DateError, parse_day
from nudgepay.invoices.importing.faults import Unreadable
from nudgepay.invoices.importing.opening import open_records
from nudgepay.invoices.importing.rows import Defaults
from nudgepay.invoices.validation import FieldError
from nudgepay.money import AmountError, exponent, parse_major, to_major
from nudgepay.payments.importing import ImportReport, run_import
from nudges.builders import at

NOW = at("2026-03-13T09:00")
DEFAULTS = Defaults("en", "Europe/Berlin", "DE")
HEADER = "client_name,client_email,invoice_number,issued_on,due_on,currency,amount,amount_paid"


def line(number: str, due: str = "2026-04-01", amount: str = "100.00", paid: str = "", name: str = "Acme") -> str:
    return f"{name},ap@{name.lower()}.example,{number},2026-02-01,{due},EUR,{amount},{paid}"


def take(db: Database, *lines: str, raw: bytes | None = None, **options: object) -> ImportReport:
    content = raw if raw is not None else "\n".join([HEADER, *lines]).encode()
    return run_import(db, content, defaults=DEFAULTS, now=NOW, actor="test", **options)


def count(db: Database, table: str) -> int:
    with db.transaction() as session:
        return session.scalar(text(f"SELECT count(*) FROM {table}"))


def test_it_creates_clients_invoices_and_what_was_paid(db: Database) -> None:
    report = take(db, line("A-1"), line("A-2", paid="40.00"), line("B-1", name="Bolt"))
    assert (report.rows, report.created, report.errors) == (3, 3, [])
    assert count(db, "clients") == 2
    with db.transaction() as session:
        row = session.execute(text("SELECT amount_remaining, money_state FROM invoices WHERE number = 'A-2'")).one()
    assert tuple(row) == (6_000, "partially_paid")


def test_the_same_file_again_changes_nothing(db: Database) -> None:
    lines = [line("A-1"), line("A-2", paid="40.00"), line("A-3", paid="100.00")]
    take(db, *lines)
    again = take(db, *lines)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 3)
    assert count(db, "money_facts") == 2


def test_a_changed_amount_is_an_update_with_its_audit(db: Database) -> None:
    take(db, line("A-1"))
    report = take(db, line("A-1", amount="120.00", paid="20.00"))
    assert (report.updated, report.unchanged) == (1, 0)
    with db.transaction() as session:
        row = session.execute(text("SELECT amount_due, amount_remaining, version FROM invoices")).one()
        assert tuple(row)[:2] == (12_000, 10_000)
        assert session.scalar(text("SELECT count(*) FROM audit_events WHERE action = 'invoice.import'")) == 1


def test_one_bad_row_keeps_every_row_out_and_names_itself(db: Database) -> None:
    report = take(db, line("A-1"), line("A-2", due="2026-02-31"), line("A-3", amount='"1,00"'), line("A-1"))
    assert count(db, "invoices") == 0
    assert [(fault.line, fault.column) for fault in report.errors] == [
        (3, "due_on"),
        (4, "amount"),
        (5, "invoice_number"),
    ]
    assert report.created == 0


def test_the_same_number_twice_in_one_file_is_an_error(db: Database) -> None:
    report = take(db, line("A-1"), line("A-1"))
    assert [(fault.line, fault.code) for fault in report.errors] == [(3, "number_twice")]


def test_a_number_of_another_client_or_currency_is_an_error(db: Database) -> None:
    take(db, line("A-1"))
    report = take(db, line("A-1", name="Bolt"), line("A-9"))
    assert [fault.code for fault in report.errors] == ["other_client"]
    assert count(db, "invoices") == 1


def test_a_fault_found_against_the_books_undoes_the_good_rows_before_it(db: Database) -> None:
    take(db, line("A-1"), line("A-2"))
    report = take(db, line("A-1", amount="120.00"), line("A-3", name="Cole"), line("A-2", name="Bolt"))
    assert [(fault.line, fault.code) for fault in report.errors] == [(4, "other_client")]
    assert (report.created, report.updated) == (0, 0)
    assert (count(db, "invoices"), count(db, "clients")) == (2, 1)
    with db.transaction() as session:
        assert session.scalar(text("SELECT amount_due FROM invoices WHERE number = 'A-1'")) == 10_000


def test_five_hundred_invoices_with_three_hundred_overdue_wait_for_release(db: Database) -> None:
    lines = [line(f"A-{n}", due="2026-03-01" if n < 300 else "2026-04-01") for n in range(500)]
    report = take(db, *lines)
    assert (report.created, report.waiting) == (500, 300)
    with db.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM invoices WHERE amnesty_at IS NOT NULL")) == 300


def test_release_lets_overdue_invoices_go_at_once(db: Database) -> None:
    assert take(db, line("A-1", due="2026-03-01"), release=True).waiting == 0


def test_a_dry_run_writes_nothing(db: Database) -> None:
    report = take(db, line("A-1"), dry_run=True)
    assert (report.created, count(db, "invoices"), count(db, "clients")) == (1, 0, 0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_and_separators_are_recognised(db: Database, encoding: str, separator: str) -> None:
    content = "\r\n".join([HEADER, line("A-1", name="Müller")]).replace("ap@müller", "ap@mueller")
    report = take(db, raw=content.replace(",", separator).encode(encoding))
    assert report.errors == []
    with db.transaction() as session:
        assert session.scalar(text("SELECT name FROM clients")) == "Müller"


def test_german_conventions_are_read_with_a_locale(db: Database) -> None:
    header = HEADER.replace(",", ";")
    row = "Acme;ap@acme.example;A-1;01.02.2026;31.03.2026;EUR;1.234,56;0,00"
    report = take(db, raw=f"{header}\n{row}\n".encode(), locale="de")
    assert report.errors == []
    with db.transaction() as session:
        assert tuple(session.execute(text("SELECT amount_due, due_on FROM invoices")).one()) == (
            123_456,
            date(2026, 3, 31),
        )


@pytest.mark.parametrize("amount", ["1.234,56", "1e9", "-0", "-5.00", "12.345", "0", "NaN", "=1+1", "9" * 30])
def test_an_ambiguous_or_impossible_amount_is_refused(db: Database, amount: str) -> None:
    report = take(db, line("A-1", amount=f'"{amount}"'))
    assert [fault.column for fault in report.errors] == ["amount"]


@pytest.mark.parametrize(
    ("currency", "amount", "good"),
    [("JPY", "500.5", False), ("JPY", "500", True), ("KWD", "1.234", True), ("KWD", "1.2345", False)],
)
def test_decimals_follow_the_currency(db: Database, currency: str, amount: str, good: bool) -> None:
    report = take(db, line("A-1", amount=amount).replace("EUR", currency))
    assert (report.errors == []) is good


def test_formula_cells_are_text_and_stay_it(db: Database) -> None:
    for number, name in enumerate(["=HYPERLINK(1)", "+1", "-2+3", "@SUM(A1)"]):
        report = take(db, line(f"A-{number}").replace("Acme", name))
        assert report.errors == []
    with db.transaction() as session:
        names = session.scalars(text("SELECT name FROM clients ORDER BY id")).all()
    assert names == ["=HYPERLINK(1)", "+1", "-2+3", "@SUM(A1)"]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "empty"),
        (HEADER.encode() + b"\nAcme,\x00", "nul"),
        (HEADER.encode() + b'\n"never closed,', "csv"),
        (b"a,a\n1,2", "column_twice"),
        (HEADER.encode() + b"\nx" + b"," * 20, "too_many_cells"),
        (b"x" * (10 * 2**20 + 1), "too_large"),
        (HEADER.encode() + b"\n" + b"y" * 200_000, "csv"),
        (",".join(f"c{n}" for n in range(300)).encode(), "too_many_columns"),
    ],
    ids=["empty", "nul", "quote", "twice", "cells", "size", "field", "columns"],
)
def test_a_broken_file_is_refused_with_its_line(db: Database, raw: bytes, code: str) -> None:
    report = take(db, raw=raw)
    assert code in [fault.code for fault in report.errors]


@pytest.mark.parametrize("name", ["a\u202eb", "a\nb", "a" * 201, "a\u2028b"])
def test_hostile_names_are_refused(db: Database, name: str) -> None:
    report = take(db, line("A-1").replace("Acme", f'"{name}"'))
    assert [fault.column for fault in report.errors] == ["client_name"]


@pytest.mark.parametrize(
    "address",
    ["a@x.example,b@y.example", '"a"<b@x.example>', "a@[127.0.0.1]", "a@" + "x" * 300, "a", "a\u2028b@x.example"],
)
def test_anything_but_one_address_is_refused(db: Database, address: str) -> None:
    quoted = address.replace('"', '""')
    report = take(db, line("A-1").replace("ap@acme.example", f'"{quoted}"'))
    assert [fault.column for fault in report.errors] == ["client_email"]


@pytest.mark.parametrize("locale", ["xx", "german", "de_DE_", "\0", "../de"])
def test_conventions_that_nobody_knows_are_refused_and_not_guessed(db: Database, locale: str) -> None:
    with pytest.raises(FieldError, match="locale"):
        take(db, line("A-1", due="02/03/2026"), locale=locale)
    assert count(db, "invoices") == 0


def test_columns_are_mapped_by_name(db: Database) -> None:
    raw = b"Kunde,Mail,Nr,Termin,W,Summe\nAcme,ap@acme.example,A-1,2026-04-01,EUR,10.00\n"
    mapping = dict(
        zip(
            ["Kunde", "Mail", "Nr", "Termin", "W", "Summe"],
            ["client_name", "client_email", "invoice_number", "due_on", "currency", "amount"],
            strict=True,
        )
    )
    assert take(db, raw=raw, mapping=mapping).created == 1


@pytest.mark.parametrize(
    ("written", "locale", "meant"),
    [
        ("2026-03-02", None, date(2026, 3, 2)),
        ("02.03.2026", "de", date(2026, 3, 2)),
        ("02/03/2026", "en-GB", date(2026, 3, 2)),
        ("02/03/2026", "en-US", date(2026, 2, 3)),
        ("2026/03/02", "ja", date(2026, 3, 2)),
    ],
)
def test_a_date_is_read_in_the_order_of_its_locale(written: str, locale: str | None, meant: date) -> None:
    assert parse_day(written, locale) == meant


@pytest.mark.parametrize(
    ("written", "locale"), [("02/03/2026", None), ("31/02/2026", "en-GB"), ("02.03.26", "de"), ("soon", None)]
)
def test_a_doubtful_date_is_refused(written: str, locale: str | None) -> None:
    with pytest.raises(DateError):
        parse_day(written, locale)


@given(
    st.integers(0, 10**12), st.sampled_from(["EUR", "JPY", "KWD"]), st.sampled_from(["de", "en", "fr", "de-CH", "sv"])
)
def test_an_amount_reads_back_as_it_was_written(minor: int, currency: str, locale: str) -> None:
    digits = "0" * exponent(currency)
    pattern = "#,##0" + (f".{digits}" if digits else "")
    written = format_decimal(to_major(minor, currency), format=pattern, locale=locale.replace("-", "_"))
    assert parse_major(written, currency, locale) == minor


@given(st.text(max_size=30))
def test_no_text_makes_the_parser_fall_over(written: str) -> None:
    for locale in (None, "de", "en"):
        try:
            found = parse_major(written, "EUR", locale)
        except AmountError:
            continue
        assert isinstance(found, int)


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_plain_amounts_are_exact_or_refused(value: Decimal) -> None:
    try:
        minor = parse_major(str(value), "EUR")
    except AmountError:
        return
    assert to_major(minor, "EUR") == value


def test_a_file_of_500_megabytes_is_refused_unread(db: Database, tmp_path: Path) -> None:
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as stream:
        stream.truncate(500 * 2**20)
    report = run_import(db, huge, defaults=DEFAULTS, now=NOW, actor="test")
    assert [fault.code for fault in report.errors] == ["too_large"]


@given(st.binary(max_size=400))
def test_no_bytes_make_the_reader_fall_over(raw: bytes) -> None:
    try:
        with open_records(raw) as opened:
            for record in opened.records:
                assert not record.is_blank
    except Unreadable as error:
        assert error.fault.line >= 1
        assert error.fault.message


def test_fifty_thousand_rows_stay_below_200_megabytes(database_url: str, figures: Callable[..., None]) -> None:
    script = (
        "import re, sys\n"
        "from nudgepay.db import Database\n"
        "from nudgepay.invoices.importing.rows import Defaults\n"
        "from nudgepay.payments.importing import run_import\n"
        "from datetime import UTC, datetime\n"
        f"header = {HEADER!r}\n"
        "row = 'Client {0},ap{0}@c.example,N-{1},2026-02-01,2026-04-01,EUR,100.00,'\n"
        "rows = [row.format(n % 2000, n) for n in range(50000)]\n"
        "raw = '\\n'.join([header, *rows]).encode()\n"
        "del rows\n"
        "report = run_import(Database(sys.argv[1]), raw, defaults=Defaults('en', 'UTC', 'DE'),\n"
        "                    now=datetime(2026, 3, 13, tzinfo=UTC), actor='test')\n"
        "status = open('/proc/self/status').read()\n"
        "print(report.created, re.search(r'VmHWM:\\s+(\\d+)', status)[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", script, database_url], capture_output=True, text=True, check=True)
    created, kilobytes = map(int, done.stdout.split())
    figures("import", n=created, rss_mb=round(kilobytes / 1024))
    assert created == 50_000
    assert kilobytes < 200 * 1024
