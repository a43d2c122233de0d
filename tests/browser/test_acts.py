"""What an act would change is seen before it is done: a hold, a schedule given away, all invoices that match."""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text

from browser.conftest import Shop, Visitor
from browser.test_pages import looked_at
from nudgepay import clock
from nudgepay.nudges.schedules import save_schedule
from nudgepay.web.ui.cookies import Cookies
from nudges.builders import STEPS
from web.ui.desk import signed_in_as

pytestmark = pytest.mark.browser
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
DAY = (clock.now().date() + timedelta(days=40)).isoformat()


def bring_many(shop: Shop) -> int:
    """Sixty more invoices of the client, which come due in ten days; the id of the first."""
    with shop.runtime.db.transaction() as session:
        save_schedule(session, "short", STEPS[:2], now=clock.now(), actor="cli:bo")
        return session.scalar(  # type: ignore[return-value]
            text(
                "WITH made AS (INSERT INTO invoices (client_id, number, currency, amount_due, amount_remaining,"
                " issued_on, due_on, token, next_at) SELECT :client, 'M-' || n, 'EUR', 100, 100, CAST(:today AS date),"
                " CAST(:today AS date) + 10, 'm-' || n, now() FROM generate_series(1, 60) n RETURNING id)"
                " SELECT min(id) FROM made"
            ),
            {"client": shop.client_id, "today": clock.now().date()},
        )


def look(page: Page, name: str) -> list[str]:
    """What is wrong with the page as it stands, light on a desk and dark on a phone."""
    found = looked_at(page, name)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    found += looked_at(page, f"{name}, dark on a phone")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESKTOP)
    return found


def test_holds_schedules_and_acts_on_all_are_seen_before_they_count(colleague: Visitor, shop: Shop) -> None:
    page, first, wrong = colleague.page, bring_many(shop), []
    page.goto(f"{shop.url}/invoices/{first}")
    page.get_by_role("link", name="Pause until").click()
    page.get_by_label("Silent through").fill(DAY)
    expect(page.locator("#effect input[name=shown]")).to_have_value(DAY)
    expect(page.locator("#effect del").first).to_be_visible()
    wrong += look(page, "a pause")
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Paused through")

    page.goto(f"{shop.url}/schedules/short")
    page.get_by_role("link", name="Give it to").click()
    page.get_by_label("Klara").check()
    page.get_by_role("searchbox", name="Search clients by name, invoices by number").press_sequentially("M-2")
    expect(page.locator("#chosen").get_by_label("Klara")).to_be_checked()
    page.locator("#found").get_by_label("M-2", exact=False).first.check()
    wrong += look(page, "who shall follow")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator("del").first).to_be_visible()
    wrong += look(page, "what a schedule would change")
    page.get_by_role("button", name="Let them follow short").click()
    expect(page.get_by_role("status")).to_contain_text("short is followed now by: 1 client, 1 invoice.")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("2 follow again what they followed before.")

    page.goto(f"{shop.url}/invoices?q=m")
    page.locator("input[data-row]").first.check()
    page.get_by_label("Choose all 60 that match").check()
    expect(page.locator("[data-bulk]")).to_contain_text("60 chosen")
    page.locator("input[data-row]").first.uncheck()
    expect(page.locator("[data-bulk]")).to_contain_text("49 chosen")
    page.get_by_label("Choose all 60 that match").check()
    wrong += look(page, "all that match")
    page.get_by_role("button", name="Reminders off").click()
    expect(page.get_by_role("heading", name="Switch reminders off for 60 invoices")).to_be_visible()
    wrong += look(page, "what an act on all would change")
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_role("status")).to_contain_text("Reminders are off for 60 invoices.")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("Undone for 60 invoices.")
    assert wrong + colleague.complaints == []


def test_without_scripts_another_day_is_shown_before_it_is_saved(browser: Browser, shop: Shop) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    name = Cookies.of(shop.runtime.settings).name("session")
    context.add_cookies([{"name": name, "value": signed_in_as(shop.runtime), "url": shop.url}])
    page = context.new_page()
    page.goto(f"{shop.url}/clients/{shop.client_id}/pause")
    page.get_by_label("Pause through").fill(DAY)
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("Nothing is paused yet")).to_be_visible()
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Paused: no reminder goes to this client meanwhile.")
    page.goto(f"{shop.url}/schedules/default/followers")
    page.get_by_role("searchbox").fill("A-2")
    page.get_by_role("searchbox").press("Enter")
    page.get_by_label("A-2").check()
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_role("button", name="Let them follow default")).to_be_visible()
    context.close()
