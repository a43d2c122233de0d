"""An operator's afternoon with the invoices: found, kept as a view, paused together and undone, made, edited at once
with a colleague; and every page readable by everybody."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from browser.conftest import Shop, Visitor
from browser.looks import PHONE, looked_at
from nudgepay import clock
from nudgepay.invoices.editing import InvoiceFields
from nudgepay.invoices.models import Invoice
from nudgepay.nudges.amending import amend_invoice

pytestmark = pytest.mark.browser
LONG = "20260042INTERNATIONALDELIVERYNOTE4711"


def invoice(shop: Shop, number: str) -> Invoice:
    with shop.runtime.db.transaction() as session:
        return session.query(Invoice).filter_by(number=number).one()


def test_invoices_are_found_paused_undone_made_and_edited(colleague: Visitor, shop: Shop) -> None:
    page = colleague.page
    page.goto(f"{shop.url}/invoices")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(page.locator("[data-bulk]")).to_be_hidden()

    page.keyboard.press("/")
    page.keyboard.type("20260042int")
    expect(rows).to_have_count(1)
    expect(page).to_have_url(f"{shop.url}/invoices?q=20260042int")
    page.get_by_text("Save view").click()
    page.get_by_label("Name of the view").fill("The long one")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="The long one")).to_have_attribute("aria-current", "page")

    page.get_by_role("link", name="Open", exact=True).click()
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Age", exact=True).select_option("1-30")
    page.get_by_role("button", name="Show these").click()
    expect(page).to_have_url(re.compile("age=1-30"))
    expect(rows).to_have_count(2)
    page.get_by_role("link", name="Remove this filter: Age").click()
    expect(page).to_have_url(f"{shop.url}/invoices")

    page.get_by_label("Choose all on this page").check()
    expect(page.get_by_text("2 chosen")).to_be_visible()
    page.get_by_role("button", name="Pause until").click()
    expect(page.get_by_role("heading", name="Pause 2 invoices")).to_be_visible()
    expect(page.get_by_text("No longer sent:").first).to_be_attached()
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("2 invoices are paused.")
    assert invoice(shop, "A-2").paused_until is not None
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("Undone for 2 invoices.")
    assert invoice(shop, "A-2").paused_until is None

    page.get_by_role("button", name="Dismiss").click()
    page.keyboard.press("n")
    page.get_by_placeholder("Search clients by name").fill("lind")
    page.get_by_role("link", name=re.compile("Klara Lindner")).click()
    page.get_by_label("Number").fill("A-2")
    page.get_by_label("Amount").fill("1,25")
    page.get_by_role("button", name="Keep as a draft").click()
    expect(page.get_by_text("Another invoice has this number.")).to_be_visible()
    expect(page.get_by_label("Amount")).to_have_value("1,25")
    page.get_by_label("Number").fill("A-3")
    page.get_by_label("Amount").fill("1.25")
    page.get_by_role("button", name="Keep as a draft").click()
    page.wait_for_url(re.compile(r"/invoices/\d+$"))
    made = invoice(shop, "A-3")
    assert (made.amount_due, made.status, made.next_at) == (125, "draft", None)

    page.goto(f"{shop.url}/invoices/{made.id}/edit")
    with shop.runtime.db.transaction() as session:
        theirs = InvoiceFields(
            made.client_id, "A-3", "EUR", 999, made.issued_on, made.due_on + timedelta(days=1), "By a colleague"
        )
        amend_invoice(session, made.id, theirs, version=1, now=clock.now(), actor="operator:2")
    page.get_by_label("What it is for").fill("By me")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Somebody changed this invoice while you were editing")).to_be_visible()
    expect(page.get_by_label("What it is for")).to_have_value("By me")
    expect(page.get_by_label("Amount")).to_have_value("9.99")
    expect(page.get_by_role("cell", name="By a colleague")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"/invoices/\d+$"))
    assert (invoice(shop, "A-3").description, invoice(shop, "A-3").amount_due) == ("By me", 999)
    missing = (
        "the server responded with a status of"  # what is refused, and the invoice's own page where there is none
    )
    assert [text for text in colleague.complaints if missing not in text] == []


def test_what_a_change_does_and_every_menu_is_readable_by_everybody(colleague: Visitor, shop: Shop) -> None:
    page = colleague.page
    page.goto(f"{shop.url}/invoices/{invoice(shop, LONG).id}/edit")
    page.get_by_label("Due on").fill((clock.now().date() + timedelta(days=20)).isoformat())
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("text=What your change does")
    wrong = looked_at(page, "what a change does", widths=(PHONE,))
    page.goto(f"{shop.url}/invoices?currency=EUR")
    menus = page.locator("main summary:visible").all()
    for menu in menus:
        menu.click()
        wrong += looked_at(page, "menu", widths=(PHONE,))
        menu.click()
    page.get_by_label("Choose all on this page").check()
    page.get_by_role("button", name="Pause until").click()
    page.wait_for_selector("text=What changes")
    wrong += looked_at(page, "many at once", widths=(PHONE,))
    assert wrong + colleague.complaints == []
    assert len(menus) >= 2
