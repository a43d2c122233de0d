"""A bookkeeper's morning: a file with a wrong row, its cure, the import, a client's contact, and the switch."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.conftest import Shop, Visitor
from browser.looks import PHONE, WIDTHS, looked_at
from nudgepay.invoices.models import Contact, Invoice

pytestmark = pytest.mark.browser
GERMAN = "Kunde;Mail;Nummer;Fällig am;Betrag\r\nBäckerei Nord;nord@baecker.example;R-1;31.03.2099;1.480,00\r\nOptik Weber;weber@optik.example;R-2;15.01.2020;99,50\r\n"


def test_a_file_is_read_understood_and_imported_and_its_client_looked_after(
    colleague: Visitor, shop: Shop, tmp_path: Path
) -> None:
    page, file = colleague.page, tmp_path / "rechnungen.csv"
    file.write_text(GERMAN, encoding="utf-8")
    page.goto(f"{shop.url}/clients")
    page.get_by_role("link", name="Import", exact=True).click()
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Look at the file").click()
    expect(page.get_by_label("Fällig am")).to_have_value("due_on")
    expect(page.get_by_label("Kunde")).to_have_value("client_name")
    wrong = looked_at(page, "the columns", widths=(PHONE,))
    page.get_by_label("Currency of rows that name none").select_option("EUR")
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("4 things are wrong, and nothing was imported")).to_be_visible()
    expect(page.get_by_role("row", name="2 Betrag 1.480,00")).to_contain_text("This is no amount")
    wrong += looked_at(page, "what is wrong", widths=(PHONE,))
    page.get_by_role("link", name="Change how it is read").click()
    page.get_by_label("Amounts and dates are written as in").select_option("de")
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("Nothing is on the books yet")).to_be_visible()
    wrong += looked_at(page, "on trial", widths=(PHONE,))
    page.get_by_role("button", name="Import 2 invoices").click()
    expect(page.get_by_text("1 invoice was overdue already and waits for you")).to_be_visible()
    with shop.runtime.db.transaction() as session:
        assert {one.number for one in session.query(Invoice)} >= {"R-1", "R-2"}
    page.get_by_role("link", name="See the clients").click()
    page.get_by_role("searchbox", name="Search", exact=True).press_sequentially("bäck", delay=20)
    expect(page.locator("a.row-link")).to_have_text(["Bäckerei Nord"])
    page.get_by_role("link", name="Bäckerei Nord").click()
    page.get_by_role("link", name="Edit Bäckerei Nord").click()
    page.get_by_label("E-mail address").fill("nord@")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Give one e-mail address")).to_be_visible()
    page.get_by_label("E-mail address").fill("kasse@baecker.example")
    page.get_by_role("button", name="Save").click()
    with shop.runtime.db.transaction() as session:
        assert session.query(Contact).filter_by(email="kasse@baecker.example").count() == 1
    page.get_by_role("link", name="Switch reminders off").click()
    expect(page.get_by_role("heading", name="Letters of the next 60 days")).to_be_visible()
    page.get_by_role("button", name="Switch reminders off").click()
    expect(page.get_by_role("link", name="Switch reminders on")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="Switch reminders off")).to_be_visible()
    wrong += looked_at(page, "the client", widths=(PHONE,))
    assert wrong + [one for one in colleague.complaints if "422" not in one] == []


def test_the_blocks_of_a_person_are_readable_by_everybody(colleague: Visitor, shop: Shop) -> None:
    with shop.runtime.db.transaction() as session:
        contact = session.query(Contact).filter_by(client_id=shop.client_id).one()
    colleague.page.goto(f"{shop.url}/clients/{shop.client_id}/contacts/{contact.id}/blocks")
    assert looked_at(colleague.page, "blocks", widths=WIDTHS) + colleague.complaints == []
