"""A bookkeeper's morning: a file with a wrong row, its cure, the import, a client's contact, and the switch."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from browser.conftest import Shop, Visitor, visiting
from nudgepay.invoices.models import Contact, Invoice
from nudgepay.web.ui.cookies import Cookies
from web.ui.desk import signed_in_as

pytestmark = pytest.mark.browser
GERMAN = "Kunde;Mail;Nummer;Fällig am;Betrag\r\nBäckerei Nord;nord@baecker.example;R-1;31.03.2099;1.480,00\r\nOptik Weber;weber@optik.example;R-2;15.01.2020;99,50\r\n"


def _is_sound(page: Page) -> None:
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


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
    _is_sound(page)
    page.get_by_label("Currency of rows that name none").select_option("EUR")
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("4 things are wrong, and nothing was imported")).to_be_visible()
    expect(page.get_by_role("row", name="2 Betrag 1.480,00")).to_contain_text("This is no amount")
    _is_sound(page)
    page.get_by_role("link", name="Change how it is read").click()
    page.get_by_label("Amounts and dates are written as in").select_option("de")
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("Nothing is on the books yet")).to_be_visible()
    _is_sound(page)
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
    _is_sound(page)
    refused = [one for one in colleague.complaints if "422" not in one]
    assert refused == []


def test_the_pages_of_clients_and_imports_fit_everywhere(browser: Browser, shop: Shop) -> None:
    with visiting(browser, size="phone", scheme="dark") as one:
        name = Cookies.of(shop.runtime.settings).name("session")
        one.context.add_cookies([{"name": name, "value": signed_in_as(shop.runtime), "url": shop.url}])
        with shop.runtime.db.transaction() as session:
            contact = session.query(Contact).filter_by(client_id=shop.client_id).one()
        client = f"/clients/{shop.client_id}"
        person = f"{client}/contacts/{contact.id}"
        edits = ("/clients/new", f"{client}/edit", f"{client}/chasing", person, f"{person}/blocks")
        for path in ("/clients", client, f"{client}/statement", *edits, "/import", "/amnesty"):
            one.page.set_viewport_size({"width": 360, "height": 740})
            assert one.page.goto(f"{shop.url}{path}").status == 200, path  # type: ignore[union-attr]
            _is_sound(one.page)
            assert one.page.evaluate("window.shifted") < 0.05, path
            for width in (768, 1440):
                one.page.set_viewport_size({"width": width, "height": 900})
                assert one.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (path, width)
        assert [told for told in one.complaints if "sandboxed" not in told] == []
