"""An operator rewrites the friendly German text: sees it on a real invoice, tries it on herself, saves, takes it back."""

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import Shop, Visitor
from nudgepay import clock
from nudgepay.nudges.mailings.sending import run_mailings
from nudgepay.nudges.terms import terms_of
from nudgepay.web.ui.cookies import Cookies
from nudges.books import rows
from web.ui.desk import signed_in_as

pytestmark = pytest.mark.browser


def expect_letter(page: Page, words: str) -> None:
    """The frame of the preview comes to show these words."""
    expect(page.locator("iframe[data-letter]").content_frame.locator("body")).to_contain_text(words)


def test_a_text_is_written_seen_tried_saved_and_taken_back(shop: Shop, colleague: Visitor) -> None:
    with shop.runtime.db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE clients SET locale = 'de'")
    page = colleague.page
    page.goto(f"{shop.url}/templates")
    page.get_by_role("link", name="German: the standard text").nth(2).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overdue, German")
    expect(page.locator("#preview-about")).to_contain_text("20260042INTERNATIONALDELIVERYNOTE4711")

    page.locator("[data-picker] summary").click()
    page.get_by_label("Number or client").fill("a-")
    page.get_by_role("button", name="A-2 Klara").click()
    expect(page.locator("#preview-about")).to_contain_text("Invoice A-2")
    page.get_by_label("Text", exact=True).fill("das haben Sie gewiss nur übersehen: ")
    page.get_by_role("button", name="{{ total }}").click()
    expect(page.get_by_label("Text", exact=True)).to_have_value("das haben Sie gewiss nur übersehen: {{ total }}")
    expect(page.locator("#preview-text")).to_contain_text("nur übersehen: 99,00\xa0€")
    expect_letter(page, "nur übersehen: 99,00")
    expect_letter(page, "Ansehen und bezahlen")
    entries = page.evaluate("history.length")
    page.get_by_label("Subject").fill("{{ nobody }}")
    expect(page.locator("#found-subject")).to_contain_text("There is no variable “nobody”")
    page.get_by_label("Subject").fill("Nur zur Erinnerung: {{ number }}")
    expect(page.locator("#found-subject")).to_be_empty()
    expect(page.locator(".preview-subject")).to_contain_text("Nur zur Erinnerung: A-2")
    assert page.evaluate("history.length") == entries, "typing is no visit"

    page.get_by_role("button", name="Send a test to me").click()
    expect(page.locator("#tested")).to_contain_text("On its way to olga@desk.example")
    settings = shop.runtime.settings
    tried = run_mailings(
        shop.runtime.db,
        transport=shop.runtime.mail,
        receipts=shop.runtime.receipts,
        terms=terms_of(settings),
        now=clock.now(),
    )
    assert dict(tried) == {"accepted": 1}

    page.get_by_role("button", name="Save").click()
    expect(page.locator("[data-told]")).to_contain_text("Saved as version 1")
    assert shop.send_what_is_due() == 1
    (sent,) = rows(shop.runtime.db, "SELECT subject, text_version FROM letters")
    assert (sent.subject[:20], sent.text_version) == ("Nur zur Erinnerung: ", 1)
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("button", name="Restore: The standard text").click()
    expect(page.locator("[data-told]")).to_contain_text("is in force again")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".page-lead")).to_contain_text("Your own text, version 3")
    ours = "Blocked script execution"  # the sandbox turns away what this test itself looks into the frame with
    assert [one for one in colleague.complaints if not one.startswith(ours)] == []


def test_the_editor_works_without_a_script(browser: Browser, shop: Shop) -> None:
    name = Cookies.of(shop.runtime.settings).name("session")
    cookie = {"name": name, "value": signed_in_as(shop.runtime), "url": shop.url}
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    context.add_cookies([cookie])
    page = context.new_page()
    page.goto(f"{shop.url}/templates/manual/en")
    page.get_by_label("Text", exact=True).fill("without a script: {{ total }} of {{ number }}")
    page.get_by_role("button", name="Show what is typed").click()
    expect(page.locator("iframe").content_frame.locator("body")).to_contain_text("without a script: €")
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(page.locator("#preview-text")).to_contain_text("without a script: €")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("[data-told]")).to_contain_text("Saved as version 1")
    context.close()
