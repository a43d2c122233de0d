"""Paid in a browser: the page, Stripe's page, back again, and the books agree."""

import pytest
from playwright.sync_api import expect

from browser.conftest import Shop, Visitor

pytestmark = pytest.mark.browser


def test_an_invoice_is_paid_by_card_and_its_page_closes(shop: Shop, visitor: Visitor) -> None:
    page = visitor.page
    page.goto(shop.link())
    expect(page.get_by_role("heading", level=1)).to_contain_text("€1,234.50")
    page.get_by_role("button", name="Pay €1,234.50").click()
    expect(page.get_by_role("button", name="Pay by card")).to_be_visible()
    expect(page.locator("body")).to_contain_text("€1,234.50")
    page.get_by_role("button", name="Pay by card").click()
    page.wait_for_url(f"{shop.url}/p/**")
    shop.apply_events()
    page.reload()
    assert (shop.invoice().status, shop.invoice().amount_remaining) == ("paid", 0)
    expect(page.get_by_role("heading", level=1)).to_contain_text("paid", ignore_case=True)
    expect(page.get_by_role("button", name="Pay")).to_have_count(0)
    assert visitor.complaints == []


def test_a_part_is_paid_and_the_page_asks_for_the_rest(shop: Shop, visitor: Visitor) -> None:
    page = visitor.page
    page.goto(shop.link())
    page.get_by_text("Pay a part").click()
    page.get_by_label("Amount (EUR)", exact=True).fill("234.50")
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_role("button", name="Pay by card").click()
    page.wait_for_url(f"{shop.url}/p/**")
    shop.apply_events()
    page.reload()
    assert shop.invoice().amount_remaining == 100_000
    expect(page.get_by_role("button", name="Pay €1,000.00")).to_be_visible()
    expect(page.locator("main")).to_contain_text("€234.50")


def test_a_declined_card_and_the_way_back_leave_everything_as_it_was(shop: Shop, visitor: Visitor) -> None:
    page = visitor.page
    page.goto(shop.link())
    page.get_by_role("button", name="Pay €1,234.50").click()
    page.get_by_role("button", name="Card that is declined").click()
    expect(page.get_by_role("alert")).to_contain_text("declined")
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("button", name="Pay €1,234.50")).to_be_visible()
    shop.apply_events()
    assert shop.invoice().amount_remaining == 123_450


def test_a_direct_debit_is_on_its_way_and_is_not_asked_for_again(shop: Shop, visitor: Visitor) -> None:
    page = visitor.page
    page.goto(shop.link())
    page.get_by_role("button", name="Pay €1,234.50").click()
    page.get_by_role("button", name="Pay by direct debit").click()
    page.wait_for_url(f"{shop.url}/p/**")
    shop.apply_events()
    page.reload()
    assert shop.invoice().money_state == "in_payment"
    expect(page.get_by_role("button", name="Pay")).to_have_count(0)


def test_the_letters_link_pays_both_invoices_at_once(shop: Shop, visitor: Visitor) -> None:
    assert shop.send_what_is_due() == 1
    page = visitor.page
    page.goto(f"{shop.url}/outbox")
    page.locator("a[href^='/outbox/']").first.click()
    letter = page.frame_locator("iframe")
    target = letter.locator("a[href*='/p/']").first.get_attribute("href")
    assert target is not None
    page.goto(target)
    page.get_by_role("button", name="Pay €1,333.50").click()
    page.get_by_role("button", name="Pay by card").click()
    page.wait_for_url(f"{shop.url}/p/**")
    shop.apply_events()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_contain_text("paid", ignore_case=True)
    assert shop.invoice().amount_remaining == 0
