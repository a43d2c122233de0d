"""Banks' CSV files: known layouts by themselves, others by `--map`, each country's conventions, and every fault by line."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nudgepay.errors import UsageError
from nudgepay.invoices.importing.faults import RowFault
from nudgepay.payments.statements.lines import ReadLine, dedup_keys
from nudgepay.payments.statements.reading import read_statements

FILES = Path(__file__).parent / "statements"
PLAIN = "booked_on,amount,currency,counterparty,reference,purpose,id"


def read(raw: bytes | str, **options: Any) -> tuple[list[ReadLine], list[RowFault]]:
    statements, faults = read_statements(raw.encode() if isinstance(raw, str) else raw, **options)
    return [line for statement in statements for line in statement.lines], faults


@pytest.mark.parametrize(
    ("name", "account", "debits", "pending"),
    [
        ("sparkasse-csv-camt", "DE89370400440532013000", 1, 1),
        ("dkb", "DE89370400440532013000", 1, 1),
        ("n26", "MainAccount", 1, 0),
        ("wise", "", 1, 0),
        ("revolut", "Current", 1, 1),
        ("revolut-business", "", 0, 1),
    ],
)
def test_a_known_bank_is_recognised_by_its_columns(name: str, account: str, debits: int, pending: int) -> None:
    (statement,), faults = read_statements((FILES / f"{name}.csv").read_bytes())
    assert (faults, statement.format, statement.account) == ([], name, account)
    assert (statement.debits, statement.pending) == (debits, pending)
    (line,) = statement.lines
    assert (line.booked_on, line.amount, line.currency) == (date(2026, 3, 9), 123_456, "EUR")
    assert "A-1" in line.purpose
    assert line.reference == ""


def test_wise_and_revolut_business_name_their_lines() -> None:
    ids = [read((FILES / f"{name}.csv").read_bytes())[0][0].bank_id for name in ("wise", "revolut-business", "n26")]
    assert ids == ["TRANSFER-1", "tx-001", ""]


def test_n26_of_older_exports_is_recognised() -> None:
    raw = '"Date","Payee","Account number","Transaction type","Payment reference","Amount (EUR)"\n2026-03-09,Ada,DE1,Income,A-1,10.50\n'
    (line,), _ = read(raw)
    assert (line.amount, line.counterparty, line.purpose) == (1_050, "Ada", "A-1")


def test_other_banks_columns_are_mapped_by_name_and_read_by_locale() -> None:
    raw = "Konto;DE89 3704 0044 0532 0130 00\n\nTag;Wer;Text;Summe\n09.03.2026;Ada;A-1;1.234,56\n9.3.26;Bolt;A-2;+7,00\n"
    mapping = {"Tag": "booked_on", "Summe": "amount", "Wer": "counterparty", "Text": "purpose"}
    (statement,), faults = read_statements(raw.encode(), mapping=mapping, locale="de", currency="EUR")
    assert (faults, statement.account) == ([], "DE89370400440532013000")
    assert [(one.booked_on.day, one.amount, one.counterparty) for one in statement.lines] == [
        (9, 123_456, "Ada"),
        (9, 700, "Bolt"),
    ]


def test_canonical_columns_need_no_mapping() -> None:
    (line,), _ = read(f"{PLAIN}\n2026-03-09,500,JPY,Ada,RF1,A-1,X-1\n")
    assert line == ReadLine(date(2026, 3, 9), 500, "JPY", "Ada", "A-1", "RF1", "X-1")


def test_a_mapping_adds_to_a_known_layout() -> None:
    raw = (FILES / "wise.csv").read_bytes()
    (line,), _ = read(raw, mapping={"Description": "purpose"})
    assert line.purpose == "Received money from Ada GmbH with reference A-1"


@pytest.mark.parametrize(
    ("raw", "options", "hint"),
    [
        ("a,b\n1,2\n", {}, "--map COLUMN=booked_on"),
        ("a,b\n1,2\n", {"mapping": {"c": "amount"}}, "no line of the file has the columns c"),
        ("a,b\n1,2\n", {"mapping": {"a": "amount"}}, "no column is booked_on"),
        ("a,b\n1,2\n", {"mapping": {"a": "salary"}}, "'salary' is no field"),
        (f"{PLAIN}\n", {"locale": "xx-nowhere"}, "locale: is no locale such as"),
        (f"{PLAIN}\n", {"currency": "EURO"}, "'EURO' is no ISO 4217"),
    ],
)
def test_columns_that_are_not_found_are_a_usage_error_with_the_cure(
    raw: str, options: dict[str, Any], hint: str
) -> None:
    with pytest.raises(UsageError, match=hint.replace("(", r"\(")):
        read(raw, **options)


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        ("2026-02-30,1,EUR", "booked_on", "date"),
        ("09.03.2026,1,EUR", "booked_on", "date"),
        ("09.03.26,1,EUR", "booked_on", "date"),
        (",1,EUR", "booked_on", "missing"),
        ('2026-03-09,"1,00",EUR', "amount", "amount"),
        ("2026-03-09,1.234,EUR", "amount", "amount"),
        ("2026-03-09,0.5,JPY", "amount", "amount"),
        ("2026-03-09,=1+1,EUR", "amount", "amount"),
        ("2026-03-09,1e9,EUR", "amount", "amount"),
        ("2026-03-09,,EUR", "amount", "missing"),
        ("2026-03-09,1,", "currency", "missing"),
        ("2026-03-09,1,XXZ", "currency", "amount"),
    ],
)
def test_a_field_that_is_wrong_is_named_with_its_line_and_nothing_is_kept(row: str, column: str, code: str) -> None:
    lines, faults = read(f"{PLAIN}\n2026-03-09,1,EUR\n{row}\n")
    assert [(fault.line, fault.column, fault.code) for fault in faults] == [(3, column, code)]
    assert len(lines) == 1, "the report names the fault; storing refuses the file"


def test_lines_above_the_header_count() -> None:
    _, faults = read(f"Account\n\nPeriod: March\n{PLAIN}\n2026-03-09,x,EUR\n")
    assert [fault.line for fault in faults] == [5]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"x" * (10 * 2**20 + 1), "too_large"),
        (b"PK\x03\x04rest", "zip"),
        (f"{PLAIN}\n2026-03-09,\x00".encode(), "nul"),
        (f'{PLAIN}\n"never closed,'.encode(), "csv"),
        (f"{PLAIN}\n1{',' * 30}".encode(), "too_many_cells"),
        (f"{PLAIN}\n2026-03-09,1,EUR,{'x' * 10_001}".encode(), "too_long"),
        (f"{PLAIN}\n".encode() + b"2026-03-09,1,EUR\n" * 50_001, "too_many_rows"),
        (f"{PLAIN}\n".encode() + b"x,y,z\n" * 2_000, "too_many_faults"),
    ],
    ids=["size", "zip", "nul", "quote", "cells", "field", "rows", "faults"],
)
def test_a_broken_or_hostile_file_is_refused(raw: bytes, code: str) -> None:
    statements, faults = read_statements(raw)
    assert (statements, faults[0].code) == ([], code)


def test_several_accounts_of_one_file_are_kept_apart() -> None:
    text = (FILES / "sparkasse-csv-camt.csv").read_bytes().decode("cp1252")
    other = text + text.splitlines()[1].replace("DE89370400440532013000", "DE02120300000000202051") + "\n"
    statements, _ = read_statements(other.encode())
    assert [(one.account[:4], len(one.lines)) for one in statements] == [("DE89", 1), ("DE02", 1)]


def test_a_name_for_a_line_without_a_banks_reference_is_made_of_all_its_fields() -> None:
    lines, _ = read(f"{PLAIN}\n2026-03-09,1,EUR,Ada,,A-1\n2026-03-09,1,EUR,Ada,,A-1\n2026-03-09,1,EUR,Ada,,A-2\n")
    keys = list(dedup_keys("DE1", lines))
    assert len(set(keys)) == 3
    assert next(dedup_keys("DE1", reversed(lines))) == keys[2], "their order in the file does not matter"


@given(st.text(max_size=200), st.sampled_from([None, "de", "en", "fr"]))
def test_no_text_makes_the_reader_fall_over(text: str, locale: str | None) -> None:
    for content in (text, f"{PLAIN}\n{text}", f"{PLAIN}\n2026-03-09,1,EUR,{text}"):
        try:
            statements, faults = read_statements(content.encode("utf-8", "surrogatepass"), locale=locale)
        except UsageError:
            continue
        assert faults or all(line.amount > 0 for one in statements for line in one.lines)


@given(st.integers(1, 10**9), st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_german_amounts_and_days_read_back_as_they_were_written(minor: int, day: date) -> None:
    euros = f"{minor // 100:,}".replace(",", ".")
    raw = f"Tag;Summe\n{day:%d.%m.%y};{euros},{minor % 100:02d}\n"
    (line,), faults = read(raw, mapping={"Tag": "booked_on", "Summe": "amount"}, locale="de", currency="EUR")
    assert (faults, line.amount, line.booked_on) == ([], minor, day)
