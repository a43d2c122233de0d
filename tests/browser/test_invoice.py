"""A colleague's morning with one invoice: why is it silent, write to them, the money comes, and it is silent for good."""

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from browser.conftest import Shop, Visitor
from browser.looks import PHONE, looked_at
from nudgepay import clock
from nudgepay.invoices.actions import switch_reminders
from nudgepay.invoices.models import Invoice
from nudgepay.nudges.disputes import open_dispute

pytestmark = pytest.mark.browser
EVIL = """From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n
<h1>hello</h1><script>parent.document.title = "owned"; top.location = "/account"</script>
<img src=x onerror="parent.document.title = 'owned'"><form action="/logout" method=post><button>go</button></form>"""


def silent_invoice(shop: Shop) -> int:
    """The shop's first invoice, its reminders switched off by somebody."""
    invoice_id = shop.invoice().id
    with shop.runtime.db.transaction() as session:
        switch_reminders(session, session.get_one(Invoice, invoice_id), on=False, now=clock.now(), actor="cli:ada")
    return invoice_id


def test_a_silent_invoice_is_understood_written_about_paid_and_left_alone(shop: Shop, colleague: Visitor) -> None:
    page, path = colleague.page, f"{shop.url}/invoices/{silent_invoice(shop)}"
    page.goto(path)
    upcoming = page.get_by_role("region", name="What happens next")
    expect(upcoming).to_contain_text("Nothing goes: Reminders are switched off")
    expect(page.get_by_role("list").filter(has_text="ada at the command line")).to_be_visible()
    upcoming.get_by_role("link", name="Switch reminders on").click()
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_role("status")).to_contain_text("Reminders are on.")
    expect(upcoming).to_contain_text("goes to")

    page.get_by_role("link", name="Nudge now").click()
    expect(page.frame_locator("iframe").locator("body")).to_contain_text("€1,234.50")
    page.get_by_role("button", name="Send", exact=True).dblclick()
    expect(page.get_by_role("status")).to_contain_text("Sent to klara@lindner.example.")
    assert len(list((shop.runtime.settings.nudgepay_home / "outbox").glob("*.eml"))) == 1
    event = page.get_by_role("listitem").filter(has_text="Nudge by hand")
    event.get_by_text("Read the letter").click()
    expect(event.locator(".letter-text")).to_contain_text("€1,234.50")
    expect(event.frame_locator("iframe").locator("body")).to_contain_text("€1,234.50")

    page.get_by_role("link", name="Record a payment").click()
    page.get_by_label("Amount in EUR").fill("1,000")
    page.get_by_label("Reference or note").fill("Cash, over the counter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("€1,000.00 booked; €234.50 left to pay.")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("Taken back")
    page.get_by_role("link", name="Record a payment").click()
    page.get_by_role("button", name="Book it").click()
    expect(upcoming).to_contain_text("Nothing is owed any more")
    expect(page.get_by_role("link", name="Nudge now")).to_have_count(0)
    assert (shop.invoice().status, shop.invoice().amount_remaining) == ("paid", 0)
    assert colleague.complaints == []


def test_an_invoice_with_everything_unfolded_and_a_lost_race_are_readable_by_everybody(
    shop: Shop, colleague: Visitor
) -> None:
    page, invoice_id = colleague.page, shop.invoice().id
    assert shop.send_what_is_due() == 1
    with shop.runtime.db.transaction() as session:
        given = {"actor": "payer", "source": "page", "now": clock.now()}
        open_dispute(session, invoice_id=invoice_id, amount=100, message="Broken", **given)
    page.goto(f"{shop.url}/invoices/{invoice_id}")
    for fold in page.locator("main details").all():
        fold.locator("summary").click()
    expect(page.locator(".letter-text")).to_be_visible()
    wrong = looked_at(page, "the invoice, everything unfolded", widths=(PHONE,))
    _lose_the_race(shop, page, invoice_id)
    assert wrong + looked_at(page, "the conflict", widths=(PHONE,)) == []


def _lose_the_race(shop: Shop, page: Page, invoice_id: int) -> None:
    page.goto(f"{shop.url}/invoices/{invoice_id}/pause")
    silent_invoice(shop)
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Somebody was faster")
    expect(page.get_by_role("button", name="Do it all the same")).to_be_visible()


def test_a_letter_with_a_script_can_do_nothing_to_the_page_that_shows_it(shop: Shop, colleague: Visitor) -> None:
    assert shop.send_what_is_due() == 1
    with shop.runtime.db.transaction() as session:
        session.execute(text("UPDATE letters SET mime = :mime"), {"mime": EVIL.encode()})
        letter = session.scalar(text("SELECT id FROM letters"))
    page = colleague.page
    path = f"{shop.url}/invoices/{shop.invoice().id}/letters/{letter}"
    for shown in (path, f"{path}/html"):
        page.goto(shown)
        frame = page.frame_locator("iframe") if shown == path else page
        expect(frame.locator("h1").filter(has_text="hello")).to_be_visible()
        frame.get_by_role("button", name="go").click()
        page.wait_for_timeout(200)
        assert page.url == shown
        assert "owned" not in page.title()
    page.goto(f"{shop.url}/account")
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    assert any("sandbox" in one or "Content Security Policy" in one for one in colleague.complaints)
