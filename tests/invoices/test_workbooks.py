"""A workbook is read as exactly as it is shown, by its own row numbers; a hostile one is refused before it is opened."""

import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from invoices.books_from_files import COLUMNS, count, invoices, saved, take, workbook
from nudgepay.db import Database
from nudgepay.errors import UsageError
from nudgepay.invoices.importing import archive
from nudgepay.invoices.importing.cells import as_text, exact
from nudgepay.invoices.importing.faults import Unreadable
from nudgepay.invoices.importing.opening import open_records
from nudgepay.money import AmountError, to_major, to_minor


def row(number: Any = "A-1", amount: Any = 100, due: Any = date(2026, 4, 1), name: Any = "Acme") -> list[Any]:
    return [name, "ap@acme.example", number, date(2026, 2, 1), due, "EUR", amount, None]


def reworked(raw: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """The same workbook with one of its parts changed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name == part else content)
    return stream.getvalue()


def codes(db: Database, raw: bytes, **options: Any) -> list[tuple[int, str]]:
    report = take(db, raw, **options)
    assert count(db, "invoices") == 0
    return [(fault.line, fault.code) for fault in report.errors]


@pytest.mark.parametrize(
    ("amount", "minor"),
    [
        (0.1 + 0.2, 30),
        (1234.5, 123_450),
        (19.99, 1_999),
        (1.15, 115),
        (8.7, 870),
        (1_000_000.01, 100_000_001),
        (7, 700),
    ],
)
def test_a_number_becomes_exact_minor_units(db: Database, amount: float, minor: int) -> None:
    assert take(db, workbook(COLUMNS, row(amount=amount))).errors == []
    assert invoices(db)["A-1"]["amount_due"] == minor


@pytest.mark.parametrize("amount", [12.345, 0.001, 1e-7, 1e300, -5, 0, True, "1.234,56", 99.9951, 1234567890123.4567])
def test_a_number_finer_than_the_currency_or_impossible_is_refused(db: Database, amount: Any) -> None:
    report = take(db, workbook(COLUMNS, row(amount=amount)))
    assert [(fault.line, fault.column) for fault in report.errors] == [(2, "amount")]


@given(st.integers(1, 10**13), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_every_amount_survives_the_way_through_a_float(minor: int, currency: str) -> None:
    assert to_minor(exact(float(to_major(minor, currency))), currency) == minor


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_no_float_becomes_another_amount(value: float) -> None:
    try:
        minor = to_minor(exact(value), "EUR")
    except AmountError:
        return
    assert abs(to_major(minor, "EUR") - Decimal(repr(value))) < Decimal("0.000001")


@pytest.mark.parametrize(
    ("stored", "minor"),
    [(b"0.30000000000000004", 30), (b"1.1500000000000001", 115), (b"2.675", None), (b"1E+2", 10_000)],
)
def test_the_noise_of_a_sum_that_a_program_stored_is_no_amount(
    db: Database, stored: bytes, minor: int | None
) -> None:
    raw = workbook(COLUMNS, row(amount=777))
    raw = reworked(raw, "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"<v>777</v>", b"<v>" + stored + b"</v>"))
    report = take(db, raw)
    assert [fault.column for fault in report.errors] == ([] if minor else ["amount"])
    assert [found["amount_due"] for found in invoices(db).values()] == ([minor] if minor else [])


def test_numbers_are_exact_whatever_locale_the_texts_follow(db: Database) -> None:
    report = take(
        db, workbook(COLUMNS, row(amount=1234.5), row("A-2", amount="1.234,56", due="31.03.2026")), locale="de"
    )
    assert report.errors == []
    assert [found["amount_due"] for found in invoices(db).values()] == [123_450, 123_456]


def test_days_and_whole_numbers_are_taken_as_they_are_shown(db: Database) -> None:
    book = Workbook()
    book.active.append(COLUMNS)
    book.active.append(row(1001, due=datetime(2026, 4, 1, 13, 30)))
    book.active.append(row(42, due=date(2026, 4, 2)))
    book.active["C3"].number_format = "00000"
    assert take(db, saved(book)).errors == []
    assert {number: found["due_on"] for number, found in invoices(db).items()} == {
        "1001": date(2026, 4, 1),
        "00042": date(2026, 4, 2),
    }


def test_a_number_in_a_date_column_is_no_date(db: Database) -> None:
    assert codes(db, workbook(COLUMNS, row(due=46_000))) == [(2, "date")]


def test_lines_are_the_rows_of_the_sheet(db: Database) -> None:
    raw = workbook(["Our invoices"], [], COLUMNS, row(), [], [], row("A-2", amount="x"))
    assert codes(db, raw) == [(7, "amount")]


def test_the_first_visible_sheet_with_a_table_is_read_or_the_one_that_is_named(db: Database) -> None:
    book = Workbook()
    book.active.title = "Cover"
    book.active.append(["Invoices of March"])
    for title, number in (("Hidden", "H-1"), ("March", "M-1"), ("April", "P-1")):
        sheet = book.create_sheet(title)
        sheet.append(COLUMNS)
        sheet.append(row(number))
    book["Hidden"].sheet_state = "hidden"
    raw = saved(book)
    assert take(db, raw).sheet == "March"
    assert take(db, raw, sheet="April").created == 1
    assert set(invoices(db)) == {"M-1", "P-1"}
    with pytest.raises(UsageError, match="Cover, Hidden, March, April"):
        take(db, raw, sheet="May")
    with pytest.raises(UsageError, match="--sheet"):
        take(db, b"a,b\n1,2\n", sheet="May")


def test_a_formula_is_read_by_its_stored_value_and_refused_without_one(db: Database) -> None:
    raw = workbook(COLUMNS, row(amount="=60+40"), row("A-2", name="=HYPERLINK(1)"))
    assert codes(db, raw) == [(2, "no_value"), (3, "no_value")]
    stored = reworked(
        raw,
        "xl/worksheets/sheet1.xml",
        lambda xml: re.sub(rb"<f>60\+40</f><v ?/>", b"<f>60+40</f><v>100.5</v>", xml),
    )
    stored = reworked(
        stored,
        "xl/worksheets/sheet1.xml",
        lambda xml: re.sub(rb'<c r="A3"><f>.*?</c>', b'<c r="A3" t="str"><f>"x"</f><v>Bolt</v></c>', xml),
    )
    assert take(db, stored).errors == []
    assert {found["client"]: found["amount_due"] for found in invoices(db).values()} == {
        "Acme": 10_050,
        "Bolt": 10_000,
    }


def test_an_error_cell_matters_only_where_its_column_is_used(db: Database) -> None:
    book = Workbook()
    book.active.append([*COLUMNS, "Margin"])
    book.active.append([*row(), "#DIV/0!"])
    book.active["I2"].data_type = "e"
    assert take(db, saved(book)).errors == []
    book.active["G2"] = "#REF!"
    book.active["G2"].data_type = "e"
    report = take(db, saved(book))
    assert [(fault.line, fault.column, fault.code) for fault in report.errors] == [(2, "amount", "cell_error")]


def test_text_that_looks_like_a_formula_stays_text(db: Database) -> None:
    book = Workbook()
    book.active.append(COLUMNS)
    names = ["=HYPERLINK(1)", "+1", "-2+3", "@SUM(A1)"]
    for number, name in enumerate(names, start=2):
        book.active.append(row(f"A-{number}"))
        book.active[f"A{number}"].value = name
        book.active[f"A{number}"].data_type = "s"
    assert take(db, saved(book)).errors == []
    assert [found["client"] for found in invoices(db).values()] == names


def bomb(name: str, size: int) -> bytes:
    return reworked(workbook(COLUMNS, row()), name, lambda content: content + b" " * size)


def with_part(name: str, content: bytes) -> bytes:
    stream = io.BytesIO(workbook(COLUMNS, row()))
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as book:
        book.writestr(name, content)
    return stream.getvalue()


HOSTILE = {
    "one part explodes": (lambda: bomb("xl/worksheets/sheet1.xml", 50 * 2**20), "zip_bomb"),
    "all parts together": (lambda: bomb("xl/worksheets/sheet1.xml", 101 * 2**20), "too_large"),
    "shared strings": (
        lambda: with_part("xl/sharedStrings.xml", b"".join(b"%d," % n for n in range(5_000_000))),
        "too_large",
    ),
    "too many parts": (
        lambda: reworked_members(archive.MAX_MEMBERS + 1),
        "too_large",
    ),
    "another archive": (lambda: plain_zip("notes.txt"), "not_xlsx"),
    "half an archive": (lambda: workbook(COLUMNS, row())[:2000], "not_xlsx"),
    "no parts": (lambda: plain_zip("[Content_Types].xml"), "not_xlsx"),
    "old .xls": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4096, "old_excel"),
    "password": (
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512 + "EncryptedPackage".encode("utf-16-le"),
        "encrypted",
    ),
    "broken xml": (
        lambda: reworked(workbook(COLUMNS, row()), "xl/worksheets/sheet1.xml", lambda xml: xml[: len(xml) // 2]),
        "not_xlsx",
    ),
    "entities": (
        lambda: reworked(
            workbook(COLUMNS, row()),
            "xl/worksheets/sheet1.xml",
            lambda xml: b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>' + xml,
        ),
        "not_xlsx",
    ),
    "a row number beyond any sheet": (
        lambda: reworked(
            workbook(COLUMNS, row()),
            "xl/worksheets/sheet1.xml",
            lambda xml: xml.replace(b'<row r="2"', b'<row r="9000000000"'),
        ),
        "too_many_rows",
    ),
    "300 columns": (lambda: workbook([f"c{n}" for n in range(300)], ["x"] * 300), "too_many_columns"),
    "no table": (lambda: workbook(["only a title"]), "empty"),
}


def plain_zip(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as book:
        book.writestr(name, b"nothing")
    return stream.getvalue()


def reworked_members(many: int) -> bytes:
    stream = io.BytesIO(workbook(COLUMNS, row()))
    with zipfile.ZipFile(stream, "a") as book:
        for number in range(many):
            book.writestr(f"xl/media/{number}.txt", b"")
    return stream.getvalue()


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_workbook_is_refused_with_a_word(db: Database, case: str) -> None:
    make, code = HOSTILE[case]
    assert [found for _, found in codes(db, make())] == [code]


def test_a_sheet_that_lies_about_its_size_costs_nothing(db: Database) -> None:
    raw = reworked(
        workbook(COLUMNS, row()),
        "xl/worksheets/sheet1.xml",
        lambda xml: re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:XFD1048576"', xml),
    )
    assert take(db, raw).created == 1


def test_more_rows_than_allowed_are_refused_with_the_first_too_many(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nudgepay.invoices.importing.reading.MAX_ROWS", 3)
    assert codes(db, workbook(COLUMNS, *[row(f"A-{n}") for n in range(5)])) == [(5, "too_many_rows")]


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_no_damage_to_a_workbook_ends_in_a_trace(at: int, byte: int) -> None:
    raw = bytearray(workbook(COLUMNS, row(), row("A-2")))
    raw[at % len(raw)] = byte
    try:
        with open_records(bytes(raw)) as opened:
            for record in opened.records:
                assert [as_text(cell) for cell in record.cells]
    except Unreadable as error:
        assert error.fault.message


def fifty_thousand_rows() -> bytes:
    """A row as openpyxl writes it, 50,000 times with other names and another number."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Invoices")
    sheet.append(COLUMNS)
    sheet.append(["Client 0", "ap0@c.example", "N-0", date(2026, 2, 1), date(2026, 4, 1), "EUR", 100.25, 0])

    def many(sheet: bytes) -> bytes:
        start, row, end = re.split("(<row r=.2.*</row>)", sheet.decode())
        places = {"Client 0": "Client {0}", "ap0@c": "ap{0}@c", "N-0": "N-{1}"}
        for old, new in places.items():
            assert row.count(old) == 1
            row = row.replace(old, new)
        row = re.sub(r'(?<=r=")([A-H]?)2(?=")', r"\g<1>{2}", row)
        return "".join([start, *(row.format(n % 2000, n, n + 2) for n in range(50_000)), end]).encode()

    return reworked(saved(book), "xl/worksheets/sheet1.xml", many)


def test_fifty_thousand_rows_of_a_workbook_stay_below_200_megabytes(
    database_url: str, tmp_path: Path, figures: Callable[..., None]
) -> None:
    file = tmp_path / "invoices.xlsx"
    file.write_bytes(fifty_thousand_rows())
    script = (
        "import re, sys, time\n"
        "from datetime import UTC, datetime\n"
        "from pathlib import Path\n"
        "from nudgepay.db import Database\n"
        "from nudgepay.invoices.importing.rows import Defaults\n"
        "from nudgepay.payments.importing import run_import\n"
        "began = time.monotonic()\n"
        "report = run_import(Database(sys.argv[1]), Path(sys.argv[2]), defaults=Defaults('en', 'UTC', 'DE'),\n"
        "                    now=datetime(2026, 3, 13, tzinfo=UTC), actor='test')\n"
        "status = open('/proc/self/status').read()\n"
        "print(report.created, re.search(r'VmHWM:\\s+(\\d+)', status)[1], time.monotonic() - began)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, database_url, str(file)], capture_output=True, text=True, check=True
    )
    created, kilobytes, seconds = done.stdout.split()
    figures("import of a workbook", n=created, rss_mb=round(int(kilobytes) / 1024), s=round(float(seconds)))
    assert int(created) == 50_000
    assert int(kilobytes) < 200 * 1024
