"""Exports of other programs are recognised by their columns alone, and silence what they call settled."""

from datetime import date
from pathlib import Path

import pytest

from invoices.books_from_files import EXPORTS, count, invoices, take, workbook
from nudgepay.db import Database
from nudgepay.errors import UsageError
from nudgepay.invoices.actions import create_client
from nudgepay.invoices.importing.layouts import presets
from nudgepay.invoices.importing.saved import save_mapping
from nudgepay.payments.importing import ImportReport


def known_clients(db: Database, *names: str) -> None:
    with db.transaction() as session:
        for name in names:
            create_client(
                session,
                name=name,
                email=f"ap@{''.join(filter(str.isalpha, name)).lower()}.example",
                locale="en",
                timezone="Europe/Berlin",
                country="DE",
                actor="test",
            )


def faults(report: ImportReport) -> list[tuple[int, str, str]]:
    return [(fault.line, fault.column, fault.code) for fault in report.errors]


def test_stripes_open_invoices_are_taken_with_the_days_of_the_business(db: Database) -> None:
    report = take(db, EXPORTS / "stripe_invoices.csv")
    assert (report.recognised, report.errors, report.created) == ("stripe", [], 2)
    assert report.passed_over == {"paid": 1, "void": 1, "draft": 1, "charged_automatically": 1}
    found = invoices(db)
    assert found["OHM-0001"]["due_on"] == date(2026, 4, 1)
    assert (found["OHM-0001"]["amount_due"], found["OHM-0001"]["amount_remaining"]) == (120_000, 100_000)
    assert (found["DAI-0001"]["currency"], found["DAI-0001"]["amount_due"]) == ("JPY", 5_000)
    assert found["OHM-0001"]["external_id"] == "in_1001"


def test_xeros_lines_become_one_invoice_and_no_client_is_taken_for_a_total(db: Database) -> None:
    report = take(db, EXPORTS / "xero_sales_invoices.csv", locale="en-GB")
    assert (report.recognised, report.errors, report.created) == ("xero", [], 1)
    assert report.passed_over == {"paid": 1, "not_an_invoice": 1, "draft": 1}
    found = invoices(db)["INV-0101"]
    assert (found["client"], found["due_on"]) == ("Total Oil Ltd", date(2026, 3, 4))
    assert (found["amount_due"], found["amount_remaining"], found["currency"]) == (158_094, 150_000, "GBP")


def test_a_date_with_two_meanings_asks_for_the_locale(db: Database) -> None:
    report = take(db, EXPORTS / "xero_sales_invoices.csv")
    assert {fault.code for fault in report.errors} == {"date"}
    assert all("--locale" in fault.message for fault in report.errors)
    assert count(db, "invoices") == 0


def test_lines_of_one_invoice_that_disagree_are_a_fault(db: Database) -> None:
    text = (EXPORTS / "xero_sales_invoices.csv").read_text()
    broken = text.replace("1580.94", "1580.95", 1).encode()
    report = take(db, broken, locale="en-GB")
    assert faults(report) == [(3, "Total", "lines_disagree")]
    assert "line 2" in report.errors[0].message


def test_freshbooks_lines_are_added_up_for_a_client_on_the_books(db: Database) -> None:
    known_clients(db, "Maple Works")
    report = take(db, EXPORTS / "freshbooks_invoice_details.csv", locale="en-US")
    assert (report.recognised, report.errors, report.created) == ("freshbooks", [], 1)
    assert report.passed_over == {"paid": 1, "draft": 1, "partly_paid_unknown": 1}
    found = invoices(db)["0000042"]
    assert (found["amount_due"], found["currency"], found["due_on"]) == (130_000, "CAD", date(2026, 2, 14))


def test_without_an_address_the_cure_is_named_once_for_each_client(db: Database) -> None:
    report = take(db, EXPORTS / "freshbooks_invoice_details.csv", locale="en-US")
    assert faults(report) == [(2, "client_email", "email_missing")]
    assert "nudgepay clients add" in report.errors[0].message
    assert (count(db, "clients"), count(db, "invoices")) == (0, 0)


def test_two_clients_of_one_name_are_not_guessed_between(db: Database) -> None:
    known_clients(db, "Maple Works", "Maple Works")
    report = take(db, EXPORTS / "freshbooks_invoice_details.csv", locale="en-US")
    assert faults(report) == [(2, "client_name", "client_ambiguous")]


def test_an_export_without_due_dates_needs_a_word_on_them(db: Database) -> None:
    known_clients(db, "Maple Works")
    lines = (EXPORTS / "freshbooks_invoice_details.csv").read_text().splitlines()
    raw = "\n".join(",".join(cell for at, cell in enumerate(line.split(",")) if at != 3) for line in lines[:1])
    raw += "\n" + "\n".join(line.replace(",02/14/2026", "", 1) for line in lines[1:3])
    report = take(db, raw.encode(), locale="en-US")
    assert {fault.code for fault in report.errors} == {"missing"}
    assert "--due-days" in report.errors[0].message
    assert take(db, raw.encode(), locale="en-US", said={"due_days": 30}).created == 1
    assert invoices(db)["0000042"]["due_on"] == date(2026, 2, 14)


@pytest.mark.parametrize(
    ("file", "name", "passed"),
    [
        ("quickbooks_ar_ageing_detail.csv", "quickbooks-ageing", {"not_an_invoice": 1}),
        ("quickbooks_open_invoices.csv", "quickbooks-open", {"not_an_invoice": 1}),
        ("quickbooks_invoice_list.csv", "quickbooks-invoices", {"paid": 1, "void": 1, "not_an_invoice": 1}),
    ],
)
def test_quickbooks_reports_are_read_between_their_titles_and_totals(
    db: Database, file: str, name: str, passed: dict[str, int]
) -> None:
    known_clients(db, "Amy's Bird Sanctuary", "Freeman Sporting Goods")
    report = take(db, EXPORTS / file, locale="en-US", said={"currency": "USD"})
    assert (report.recognised, report.errors, report.created) == (name, [], 2)
    assert report.passed_over == passed
    found = invoices(db)
    assert {number: one["amount_remaining"] for number, one in found.items()} == {"1037": 150_000, "1041": 125_050}
    assert found["1037"]["client"] == "Amy's Bird Sanctuary"
    assert found["1037"]["due_on"] == date(2026, 3, 1)


def test_an_export_without_a_currency_asks_for_it(db: Database) -> None:
    known_clients(db, "Amy's Bird Sanctuary", "Freeman Sporting Goods")
    report = take(db, EXPORTS / "quickbooks_open_invoices.csv", locale="en-US")
    assert {fault.code for fault in report.errors} == {"missing"}
    assert all("--currency" in fault.message for fault in report.errors)


def test_a_report_of_open_amounts_books_what_was_paid_and_never_claims_more(db: Database) -> None:
    known_clients(db, "Amy's Bird Sanctuary", "Freeman Sporting Goods")
    told = {"locale": "en-US", "said": {"currency": "USD"}}
    text = (EXPORTS / "quickbooks_open_invoices.csv").read_text()
    take(db, text.encode(), **told)
    assert take(db, text.encode(), **told).unchanged == 2
    report = take(db, text.replace('"1,500.00"', '"400.00"').encode(), **told)
    assert (report.updated, report.unchanged) == (1, 1)
    assert (invoices(db)["1037"]["amount_due"], invoices(db)["1037"]["amount_remaining"]) == (150_000, 40_000)
    report = take(db, text.encode(), **told)
    assert (report.updated, report.passed_over["less_is_open_here"]) == (0, 1)
    assert invoices(db)["1037"]["amount_remaining"] == 40_000


@pytest.mark.parametrize(("word", "status", "remaining"), [("paid", "paid", 0), ("void", "void", 100_000)])
def test_what_the_other_program_calls_settled_is_settled_here(
    db: Database, word: str, status: str, remaining: int
) -> None:
    text = (EXPORTS / "stripe_invoices.csv").read_text()
    take(db, text.encode())
    later = text.replace("OHM-0001,FALSE,open", f"OHM-0001,TRUE,{word}").encode()
    report = take(db, later, dry_run=True)
    assert (report.updated, invoices(db)["OHM-0001"]["status"]) == (1, "open")
    report = take(db, later)
    assert (report.updated, report.unchanged) == (1, 1)
    assert (invoices(db)["OHM-0001"]["status"], invoices(db)["OHM-0001"]["amount_remaining"]) == (status, remaining)
    again = take(db, later)
    assert (again.created, again.updated, count(db, "money_facts")) == (0, 0, 2 if word == "paid" else 1)


def test_a_settled_row_never_touches_another_clients_invoice(db: Database) -> None:
    text = (EXPORTS / "stripe_invoices.csv").read_text()
    take(db, text.encode())
    strange = text.replace("OHM-0001,FALSE,open", "OHM-0001,TRUE,paid")
    strange = strange.replace("cus_A1,Atelier Ohm", "cus_Z9,Somebody Else")
    assert take(db, strange.encode()).updated == 0
    assert invoices(db)["OHM-0001"]["status"] == "open"


@pytest.mark.parametrize("file", sorted(file.name for file in EXPORTS.glob("*.csv")))
def test_the_same_export_again_changes_nothing(db: Database, file: str) -> None:
    known_clients(db, "Amy's Bird Sanctuary", "Freeman Sporting Goods", "Maple Works")
    first = take(db, EXPORTS / file, locale="en-US", said={"currency": "USD"})
    assert first.created > 0
    again = take(db, EXPORTS / file, locale="en-US", said={"currency": "USD"})
    assert (again.created, again.updated, again.unchanged, again.errors) == (0, 0, first.created, [])


def test_a_known_export_in_a_workbook_is_recognised_too(db: Database) -> None:
    known_clients(db, "Amy's Bird Sanctuary")
    raw = workbook(
        ["Atelier Nord LLC"],
        ["Open Invoices"],
        [],
        ["", "Date", "Transaction type", "Num", "Terms", "Due date", "Open balance"],
        ["Amy's Bird Sanctuary"],
        ["", date(2026, 1, 30), "Invoice", 1037, "Net 30", date(2026, 3, 1), 1500.5],
        ["Total for Amy's Bird Sanctuary", "", "", "", "", "", "=G6"],
    )
    report = take(db, raw, said={"currency": "USD"})
    assert (report.recognised, report.errors, report.created) == ("quickbooks-open", [], 1)
    assert invoices(db)["1037"]["amount_due"] == 150_050


def test_a_preset_can_be_forced_and_refused(db: Database) -> None:
    with pytest.raises(UsageError, match="client_name"):
        take(db, EXPORTS / "stripe_invoices.csv", preset="plain")
    with pytest.raises(UsageError, match="freshbooks"):
        take(db, EXPORTS / "stripe_invoices.csv", preset="sage")
    assert take(db, EXPORTS / "stripe_invoices.csv", preset="stripe").created == 2


def test_no_two_exports_are_mistaken_for_each_other() -> None:
    assert {file.stem.split("_")[0] for file in EXPORTS.glob("*.csv")} <= {name.split("-")[0] for name in presets()}


RAW = b'Kunde,Mail,Nr,Termin,Summe\nAcme,ap@acme.example,A-1,01.04.2026,"1.234,50"\n'
FIELDS = {
    "Kunde": "client_name",
    "Mail": "client_email",
    "Nr": "invoice_number",
    "Termin": "due_on",
    "Summe": "amount",
}


def keep(db: Database, name: str, columns: dict[str, str] = FIELDS) -> None:
    with db.transaction() as session:
        save_mapping(session, name=name, columns=columns, locale="de", currency="EUR", actor="test")


def test_the_only_saved_mapping_that_fits_is_used_by_itself(db: Database) -> None:
    keep(db, "buchhaltung")
    keep(db, "other", FIELDS | {"Kunde": "description", "Name": "client_name"})
    report = take(db, RAW)
    assert (report.recognised, report.errors, report.created) == ("buchhaltung", [], 1)
    assert (invoices(db)["A-1"]["amount_due"], invoices(db)["A-1"]["currency"]) == (123_450, "EUR")


def test_two_saved_mappings_that_fit_are_not_guessed_between(db: Database) -> None:
    keep(db, "one")
    keep(db, "two", {**FIELDS, "Summe": "amount"})
    with pytest.raises(UsageError, match="one, two"):
        take(db, RAW)
    assert take(db, RAW, saved="two").created == 1
    with pytest.raises(UsageError, match="mappings list"):
        take(db, RAW, saved="three")
    with pytest.raises(UsageError, match="only one"):
        take(db, RAW, saved="two", mapping=FIELDS)


def test_a_saved_mapping_is_replaced_under_its_name_and_never_takes_that_of_an_export(db: Database) -> None:
    keep(db, "one")
    keep(db, "one")
    assert count(db, "import_mappings") == 1
    for name, columns in (("stripe", FIELDS), ("plain", FIELDS), ("empty", {}), ("odd", {"A": "colour"})):
        with pytest.raises(UsageError):
            keep(db, name, columns)


def test_a_path_is_read_as_the_bytes_are(db: Database, tmp_path: Path) -> None:
    keep(db, "one")
    (tmp_path / "file.csv").write_bytes(RAW)
    assert take(db, tmp_path / "file.csv").created == 1
    assert take(db, RAW).unchanged == 1
