"""A person changes when everybody is written to: sees the difference, saves, finds it in the plan, takes it back."""

import re

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import Shop, Visitor
from browser.looks import PHONE, looked_at
from nudgepay import clock
from nudgepay.config import Settings
from nudgepay.nudges.planning import run_planning
from nudgepay.nudges.terms import terms_of

pytestmark = pytest.mark.browser


def plan_now(shop: Shop, settings: Settings) -> None:
    run_planning(shop.runtime.db, now=clock.now(), calendar=terms_of(settings).calendar)


def steps_of_the_plan(page: Page, url: str) -> list[str]:
    page.goto(f"{url}/plan?view=list")
    return [found.strip() for found in page.locator("tbody .wide .chip").all_inner_texts()]


def test_a_schedule_is_changed_after_its_difference_was_seen_and_restored(
    colleague: Visitor, shop: Shop, settings: Settings
) -> None:
    page = colleague.page
    plan_now(shop, settings)
    assert steps_of_the_plan(page, shop.url) == ["+3", "+3", "+7", "+7"]
    page.get_by_role("link", name="Schedules").first.click()
    page.get_by_role("link", name="Edit default").click()
    page.get_by_role("button", name="Add a step").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Code").nth(4)).to_have_value("+14")
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1
    expect(page.get_by_role("button", name="Add a step")).to_be_focused()
    page.get_by_role("button", name="Remove +7").click()
    expect(page.get_by_label("Code")).to_have_count(4)
    wrong = looked_at(page, "editor")
    page.get_by_label("How many").nth(3).fill("ten")
    page.get_by_role("button", name=re.compile("^Show what would change")).click()
    expect(page.get_by_text("A number from 0 to 365")).to_be_visible()
    expect(page.get_by_label("How many").nth(3)).to_have_value("ten")
    colleague.complaints.clear()  # a 422 is told on the console
    page.get_by_label("How many").nth(3).fill("14")
    page.get_by_label("How many").nth(3).press("Enter")
    expect(page.get_by_role("heading", name="What would change")).to_be_visible()
    assert page.locator("del.diff-gone time").count() == 2
    assert page.locator("ins.diff-new time").count() == 2
    wrong += looked_at(page, "difference")
    page.get_by_role("button", name="Save as a new version").click()
    expect(page.get_by_role("status")).to_contain_text("Version 2 is in force")
    assert steps_of_the_plan(page, shop.url) == ["+3", "+3", "+14", "+14"]
    page.goto(f"{shop.url}/schedules/default")
    page.get_by_role("link", name="Restore").click()
    page.get_by_role("button", name="Save as a new version").click()
    assert steps_of_the_plan(page, shop.url) == ["+3", "+3", "+7", "+7"]
    assert wrong + colleague.complaints == []


def test_closing_days_are_seen_before_they_are_closed_and_readable_by_everybody(
    colleague: Visitor, shop: Shop, settings: Settings
) -> None:
    page = colleague.page
    plan_now(shop, settings)
    page.goto(f"{shop.url}/schedules/closing-days")
    page.get_by_label("First day").fill(clock.now().date().isoformat())
    page.get_by_label("Why").fill("Stocktaking")
    page.get_by_role("button", name=re.compile("Show what would change")).click()
    expect(page.get_by_role("button", name="Close them")).to_be_visible()
    assert looked_at(page, "closing", widths=(PHONE,)) + colleague.complaints == []
