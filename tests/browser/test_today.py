"""An operator's morning: Today, a figure's list, the palette by keyboard alone."""

from datetime import timedelta

from playwright.sync_api import expect

from browser.conftest import Shop, Visitor
from nudgepay import clock
from nudgepay.invoices.actions import create_invoice


def test_a_figure_leads_to_its_list_and_the_palette_goes_anywhere_by_keys(shop: Shop, colleague: Visitor) -> None:
    with shop.runtime.db.transaction() as session:
        now = clock.now()
        late = create_invoice(
            session,
            client_id=shop.client_id,
            number="LATE-0077",
            currency="JPY",
            amount_due=380_000,
            issued_on=now.date() - timedelta(days=80),
            due_on=now.date() - timedelta(days=50),
            now=now,
            actor="test",
        ).id
    page = colleague.page
    page.goto(shop.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")
    expect(page.get_by_text("First steps")).to_be_visible()
    owed = page.get_by_role("region", name="What is owed")
    expect(owed.get_by_role("link", name="€1,333.50", exact=True)).to_be_visible()
    owed.get_by_role("link", name="¥380,000 1 invoice").click()
    page.wait_for_url(f"{shop.url}/invoices?status=open&currency=JPY&age=31-60")
    colleague.complaints.clear()

    page.goto(shop.url)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option", name="Today")).to_have_attribute("aria-selected", "true")
    page.keyboard.type("077")
    found = page.get_by_role("option", name="LATE-0077")
    expect(found).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("Control+k")
    page.keyboard.type("¥380,000")
    expect(page.get_by_text("Invoices over this amount")).to_be_visible()
    page.keyboard.type("x")
    expect(page.get_by_text("Nothing answers to")).to_be_visible()
    page.keyboard.press("Backspace")
    expect(found).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{shop.url}/invoices/{late}")
    colleague.complaints.clear()

    page.goto(f"{shop.url}/search?q=feinback")
    expect(page.get_by_role("main").get_by_role("link", name="Klara Lindner")).to_have_attribute(
        "href", f"/clients/{shop.client_id}"
    )
    page.goto(f"{shop.url}/tasks")
    expect(page.get_by_text("Nothing needs you")).to_be_visible()
    assert page.evaluate("window.shifted") < 0.02
    assert colleague.complaints == []
