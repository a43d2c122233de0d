"""Every page of the payer, at two widths, in light and dark: readable by everybody, nothing moves, nothing overflows."""

from dataclasses import replace

import pytest
from playwright.sync_api import Browser, expect

from browser.conftest import Shop, Visitor, visiting
from browser.looks import looked_at
from nudgepay.nudges.languages import LANGUAGES
from nudges.letter_builders import BUSINESS, GERMAN, letter, parsed, part

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_every_page_is_readable_by_everybody(browser: Browser, shop: Shop, size: str) -> None:
    assert shop.send_what_is_due() == 1
    wrong: list[str] = []
    with visiting(browser, size=size) as visitor:
        page = visitor.page
        for name, url in {
            "invoice": shop.link(),
            "invoice in German": shop.link("?lang=de"),
            "unsubscribe": f"{shop.url}/u/{shop.contact_token}",
            "statement": shop.statement_link(),
            "outbox": f"{shop.url}/outbox",
        }.items():
            page.goto(url)
            wrong += looked_at(page, name)
        page.goto(shop.link())
        for fold in page.locator("main details").all():
            fold.locator("summary").click()
        wrong += looked_at(page, "invoice, everything unfolded")
        page.locator(".languages summary").click()
        wrong += looked_at(page, "languages")
        page.get_by_role("link", name="Polski").click()
        expect(page.locator("html")).to_have_attribute("lang", "pl")
        page.goto(f"{shop.url}/outbox")
        page.locator("a[href^='/outbox/']").first.click()
        page.wait_for_url("**/outbox/*")
        wrong += looked_at(page, "letter")
        assert visitor.complaints == []
        page.goto(f"{shop.url}/p/{'x' * 22}")
        wrong += looked_at(page, "unknown link")
    assert wrong == []


def test_no_language_is_wider_than_a_phone(browser: Browser, shop: Shop) -> None:
    with visiting(browser, size="phone") as visitor:
        page = visitor.page
        wide = []
        for language in LANGUAGES:
            for path in (f"/p/{shop.token}", f"/u/{shop.contact_token}"):
                page.goto(f"{shop.url}{path}?lang={language}")
                page.evaluate("document.querySelectorAll('main details').forEach(fold => fold.open = true)")
                if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                    wide.append((language, path))
        assert visitor.complaints == []
        page.goto("about:blank")
        for language in LANGUAGES:
            written = parsed(
                letter(recipient=replace(GERMAN, locale=language), business=replace(BUSINESS, bic="COBADEFFXXX"))
            )
            page.set_content(part(written, "html"))
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                wide.append((language, "letter"))
        assert wide == []


def test_the_pay_button_is_reached_and_pressed_by_keyboard_alone(shop: Shop, visitor: Visitor) -> None:
    page = visitor.page
    page.goto(shop.link())
    button = page.get_by_role("button", name="Pay €1,234.50")
    for _ in range(12):
        page.keyboard.press("Tab")
        if button.evaluate("one => one === document.activeElement"):
            break
    expect(button).to_be_focused()
    assert button.evaluate("one => getComputedStyle(one).outlineStyle") != "none"
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pay by card")).to_be_visible()


def test_four_answers_are_given_and_each_is_thanked_for(shop: Shop, visitor: Visitor) -> None:
    page = visitor.page
    for summary, title in (
        ("I have paid", "Thank you for telling us."),
        ("I will pay later", "Noted: "),
        ("Something is wrong", "Thank you, we are looking into it."),
        ("I am the wrong person", "Sorry to have bothered you."),
    ):
        page.goto(shop.link())
        fold = page.locator("details").filter(has=page.locator("summary", has_text=summary))
        fold.locator("summary").click()
        if (message := fold.locator("textarea")).count():
            message.fill("Two of the boxes arrived broken.")
        fold.get_by_role("button").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(title)
        assert looked_at(page, summary) == []
    assert shop.send_what_is_due() == 0
    assert visitor.complaints == []


def test_opening_the_unsubscribe_link_changes_nothing_and_its_button_does(shop: Shop, visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{shop.url}/u/{shop.contact_token}")
    assert shop.is_blocked() is False
    page.get_by_role("button", name="Stop the reminders").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("You get no more reminders.")
    assert looked_at(page, "unsubscribed") == []
    assert shop.is_blocked() is True
    assert shop.send_what_is_due() == 0
    page.get_by_role("button", name="Send them again").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("You get reminders again.")
    assert shop.is_blocked() is False
