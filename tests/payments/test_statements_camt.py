"""camt.053 is read exactly, in a stream; what only looks like it, or attacks, is refused with a clear error."""

import re
import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nudgepay.invoices.importing.faults import Unreadable
from nudgepay.payments.statements import camt053
from nudgepay.payments.statements.camt053 import read_camt053
from nudgepay.payments.statements.lines import dedup_keys
from nudgepay.payments.statements.reading import read_statements

FILES = Path(__file__).parent / "statements"
V02 = (FILES / "camt053-v02-schema.xml").read_bytes()
V08 = (FILES / "camt053-v08-batch.xml").read_bytes()


def document(*entries: str, root: str = "BkToCstmrStmt", head: str = "", version: str = "02") -> bytes:
    space = f"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"
    inside = "".join(entries)
    return f'{head}<Document xmlns="{space}"><{root}><Stmt>{inside}</Stmt></{root}></Document>'.encode()


def entry(
    *,
    amount: str = "100.00",
    currency: str = "EUR",
    direction: str = "CRDT",
    status: str = "BOOK",
    day: str = "2026-03-09",
    more: str = "",
    details: str = "<TxDtls><RmtInf><Ustrd>A-1</Ustrd></RmtInf></TxDtls>",
) -> str:
    return (
        f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd>{more}<Sts>{status}</Sts>'
        f"<BookgDt><Dt>{day}</Dt></BookgDt><NtryDtls>{details}</NtryDtls></Ntry>"
    )


def transaction(amount: str, purpose: str, currency: str = "EUR") -> str:
    return (
        f'<TxDtls><AmtDtls><TxAmt><Amt Ccy="{currency}">{amount}</Amt></TxAmt></AmtDtls>'
        f"<RmtInf><Ustrd>{purpose}</Ustrd></RmtInf></TxDtls>"
    )


def fault(raw: bytes) -> tuple[str, int, str]:
    with pytest.raises(Unreadable) as caught:
        read_camt053(raw)
    return caught.value.fault.code, caught.value.fault.line, caught.value.fault.message


def test_version_02_tells_booked_credits_and_reversals_only() -> None:
    (statement,) = read_camt053(V02)
    assert (statement.account, statement.debits, statement.pending) == ("DE89370400440532013000", 1, 1)
    assert statement.period() == (date(2026, 3, 9), date(2026, 3, 10))
    credit, reversal = statement.lines
    assert (credit.amount, credit.currency, credit.booked_on) == (10_000, "EUR", date(2026, 3, 9))
    assert (credit.counterparty, credit.purpose) == ("Ada GmbH", "Rechnung A-1 vom 01.02.2026")
    assert (credit.reference, credit.bank_id, credit.is_reversal) == ("", "BANK-0001", False)
    assert (reversal.amount, reversal.is_reversal, reversal.purpose) == (-8_000, True, "Ruecklastschrift")


def test_version_08_splits_a_batch_marks_a_returned_payment_and_keeps_accounts_apart() -> None:
    first, second = read_camt053(V08)
    assert (first.account, second.account) == ("ACC-7", "DE75512108001245126199")
    told = [(one.amount, one.counterparty, one.purpose, one.reference, one.is_reversal) for one in first.lines]
    assert told == [
        (10_000, "Ada GmbH", "A-1", "RF18539007547034", False),
        (20_000, "Bolt Ltd", "A-2", "", False),
        (4_000, "Us", "A-1", "", True),
    ]
    assert [(one.amount, one.currency) for one in second.lines] == [(5_000, "JPY")]


@pytest.mark.parametrize("version", ["02", "03", "04", "05", "06", "07", "08", "09", "10", "13"])
def test_every_version_is_read_by_local_name(version: str) -> None:
    (statement,) = read_camt053(document(entry(), version=version))
    assert [one.amount for one in statement.lines] == [10_000]


@pytest.mark.parametrize("status", ["PDNG", "INFO", "FUTR", "<Cd>PDNG</Cd>", "<Prtry>BOOK2</Prtry>"])
def test_what_is_not_booked_is_passed_over(status: str) -> None:
    (statement,) = read_camt053(document(entry(status=status)))
    assert (statement.lines, statement.pending) == ([], 1)


@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [("EUR", "1", 100), ("EUR", "0.01", 1), ("JPY", "500", 500), ("KWD", "1.234", 1_234), ("EUR", ".5", 50)],
)
def test_amounts_are_exact_in_their_currency(currency: str, amount: str, minor: int) -> None:
    (statement,) = read_camt053(document(entry(amount=amount, currency=currency)))
    assert [one.amount for one in statement.lines] == [minor]


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        ("EUR", "1.234"),
        ("JPY", "0.5"),
        ("EUR", "-1.00"),
        ("EUR", "1,00"),
        ("EUR", "1e3"),
        ("EUR", "NaN"),
        ("EUR", ""),
        ("XXZ", "1"),
        ("", "1"),
        ("EUR", "9" * 18),
        ("EUR", "9" * 19),
    ],
)
def test_an_amount_that_is_none_is_refused_with_its_entry(currency: str, amount: str) -> None:
    code, line, message = fault(document(entry(), entry(amount=amount, currency=currency)))
    assert (code in {"amount", "missing"}, line) == (True, 2)
    assert message.startswith("entry 2, Amt: ")


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"direction": ""}, "CdtDbtInd"),
        ({"status": ""}, "Sts"),
        ({"day": "09.03.2026"}, "BookgDt"),
        ({"day": "2026-02-30"}, "BookgDt"),
        ({"day": ""}, "BookgDt"),
    ],
)
def test_an_entry_that_does_not_say_what_it_must_is_refused(changes: dict[str, str], column: str) -> None:
    _, line, message = fault(document(entry(), entry(), entry(**changes)))
    assert line == 3
    assert message.startswith(f"entry 3, {column}: ")


def test_a_batch_that_does_not_add_up_stays_one_line() -> None:
    parts = transaction("60.00", "A-1") + transaction("30.00", "A-2")
    (statement,) = read_camt053(document(entry(details=parts)))
    assert [(one.amount, one.purpose) for one in statement.lines] == [(10_000, "A-1 | A-2")]


@pytest.mark.parametrize(
    "parts",
    [
        transaction("60.00", "A-1") + "<TxDtls><RmtInf><Ustrd>A-2</Ustrd></RmtInf></TxDtls>",
        transaction("60.00", "A-1") + transaction("40.00", "A-2", "USD"),
        transaction("100.00", "A-1") + transaction("0.00", "A-2"),
        transaction("110.00", "A-1")
        + transaction("10.00", "Fee").replace("<TxDtls>", "<TxDtls><CdtDbtInd>DBIT</CdtDbtInd>"),
    ],
    ids=["amount-missing", "currency", "zero", "mixed"],
)
def test_a_batch_whose_parts_are_in_doubt_stays_one_line(parts: str) -> None:
    (statement,) = read_camt053(document(entry(details=parts)))
    assert [one.amount for one in statement.lines] == [10_000]


def test_a_batch_that_adds_up_is_split_exactly() -> None:
    parts = transaction("60.01", "A-1") + transaction("39.99", "A-2")
    (statement,) = read_camt053(document(entry(details=parts)))
    assert [(one.amount, one.purpose) for one in statement.lines] == [(6_001, "A-1"), (3_999, "A-2")]


def test_one_returned_part_of_a_batch_is_a_reversal_and_the_others_are_not() -> None:
    parts = transaction("60.00", "A-1") + transaction("40.00", "A-2").replace(
        "</TxDtls>", "<RtrInf><Rsn/></RtrInf></TxDtls>"
    )
    (statement,) = read_camt053(document(entry(details=parts)))
    assert [(one.amount, one.is_reversal) for one in statement.lines] == [(6_000, False), (4_000, True)]


def test_control_and_direction_characters_are_taken_out_of_a_banks_text() -> None:
    text = "A-1&#x9;&#x202E;B&#x200B;\nC"
    (statement,) = read_camt053(document(entry(details=f"<TxDtls><RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>")))
    assert statement.lines[0].purpose == "A-1 B C"


@pytest.mark.parametrize(
    ("root", "name"),
    [("BkToCstmrAcctRpt", "camt.052"), ("BkToCstmrDbtCdtNtfctn", "camt.054"), ("CstmrPmtStsRpt", "no camt.053")],
)
def test_another_message_is_named_and_refused(root: str, name: str) -> None:
    code, _, message = fault(document(entry(), root=root))
    assert code == "other_message"
    assert name in message


BILLION = (
    '<?xml version="1.0"?><!DOCTYPE Document [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]>"
)
XXE = '<!DOCTYPE Document [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
EXTERNAL = '<!DOCTYPE Document SYSTEM "http://192.0.2.1/camt.dtd">'
PARAMETER = '<!DOCTYPE Document [<!ENTITY % p SYSTEM "http://192.0.2.1/p"> %p;]>'


@pytest.mark.parametrize(
    ("head", "inside"),
    [(BILLION, "&j;"), (XXE, "&x;"), (EXTERNAL, ""), (PARAMETER, ""), ("<!DOCTYPE Document>", "")],
    ids=["billion-laughs", "file-entity", "external-dtd", "parameter-entity", "doctype"],
)
def test_entities_and_document_types_are_refused_unread(head: str, inside: str) -> None:
    began = time.monotonic()
    code, _, message = fault(document(entry(more=f"<AddtlNtryInf>{inside}</AddtlNtryInf>"), head=head))
    assert (code, time.monotonic() - began < 1) == ("forbidden_xml", True)
    assert "hostname" not in message


def test_deep_nesting_is_refused_at_once() -> None:
    began = time.monotonic()
    code, _, _ = fault(b"<Document><BkToCstmrStmt>" + b"<a>" * 1_000_000)
    assert (code, time.monotonic() - began < 1) == ("too_deep", True)


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    assert fault(b"<" * (10 * 2**20 + 1))[0] == "too_large"


def test_too_long_a_text_is_refused_whether_in_one_piece_or_many() -> None:
    one = f"<TxDtls><RmtInf><Ustrd>{'x' * 10_001}</Ustrd></RmtInf></TxDtls>"
    many = "<TxDtls><RmtInf>" + "<Ustrd>0123456789</Ustrd>" * 1_001 + "</RmtInf></TxDtls>"
    assert [fault(document(entry(details=details)))[0] for details in (one, many)] == ["too_long", "too_long"]


def test_too_many_lines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camt053, "MAX_ROWS", 3)
    assert len(read_camt053(document(*[entry()] * 3))[0].lines) == 3
    assert fault(document(*[entry()] * 4))[0] == "too_many_rows"
    assert fault(document(entry(details=transaction("1", "x") * 4)))[0] == "too_many_rows"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (V02[:900], "xml"),
        (V02.replace(b"</Stmt>", b""), "xml"),
        (b"<a/>", "no_statement"),
        (b"<", "xml"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "encoding"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "encoding"),
        (b'<?xml version="1.0" encoding="UTF-8"?><a>\xff</a>', "xml"),
    ],
)
def test_what_is_no_xml_is_refused_with_its_line(raw: bytes, code: str) -> None:
    assert fault(raw)[0] == code


def test_half_a_million_empty_elements_keep_nothing() -> None:
    raw = document(entry(), "<x/>" * 500_000)
    assert [one.amount for one in read_camt053(raw)[0].lines] == [10_000]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings_are_as_declared(encoding: str) -> None:
    declared = {"utf-8-sig": "utf-8", "latin-1": "ISO-8859-1"}.get(encoding, encoding)
    text = document(entry(details="<TxDtls><RmtInf><Ustrd>Müller</Ustrd></RmtInf></TxDtls>")).decode()
    (statement,), faults = read_statements(f'<?xml version="1.0" encoding="{declared}"?>{text}'.encode(encoding))
    assert (faults, statement.lines[0].purpose) == ([], "Müller")


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fall_over(raw: bytes) -> None:
    for content in (raw, b"<" + raw, V02[:500] + raw):
        try:
            read_camt053(content)
        except Unreadable as error:
            assert error.fault.code


@given(st.integers(1, len(V08) - 1), st.binary(min_size=1, max_size=3))
def test_a_damaged_statement_is_read_or_refused(place: int, damage: bytes) -> None:
    statements, faults = read_statements(V08[:place] + damage + V08[place + len(damage) :])
    assert bool(statements) != bool(faults)


def test_a_name_for_a_line_is_made_of_the_banks_reference_day_and_amount() -> None:
    (statement,) = read_camt053(
        document(*[entry(more="<AcctSvcrRef>R-1</AcctSvcrRef>")] * 2, entry(more="<AcctSvcrRef>R-2</AcctSvcrRef>"))
    )
    keys = list(dedup_keys("DE1", statement.lines))
    assert len(set(keys)) == 3, "two equal lines of one file are two"
    (other,) = read_camt053(document(entry(more="<AcctSvcrRef>R-1</AcctSvcrRef>", details="<TxDtls/>")))
    assert list(dedup_keys("DE1", other.lines)) == keys[:1], "what else is told of it does not matter"
    assert list(dedup_keys("DE2", other.lines)) != keys[:1]
    assert all(re.fullmatch(r"[0-9a-f]{64}", key) for key in keys)
