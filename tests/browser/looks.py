"""What is wrong with a page as it stands: hard to read for somebody, wider than the window, or moving."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

AXE = Axe().axe_script
PHONE = 360
WIDTHS = (PHONE, 768, 1440)
SETTLED = """() => document.fonts.ready.then(() => new Promise(
  settled => requestAnimationFrame(() => requestAnimationFrame(settled))))"""
VIOLATIONS = """rules => axe.run({resultTypes: ["violations"], ...(rules.length ? {runOnly: rules} : {})})
  .then(found => found.violations.map(each => `${each.id} ${each.nodes[0].html.slice(0, 200)}`))"""
EVERY_RULE: list[str] = []
OF_A_SCHEME = ["color-contrast"]
OF_A_PHONE = [
    "aria-hidden-focus",
    "button-name",
    "label",
    "link-name",
    "nested-interactive",
    "scrollable-region-focusable",
]
"""What another scheme, or a window in which tables scroll and menus fold, can change about the same page."""


def looked_at(page: Page, name: str, *, widths: tuple[int, ...] = ()) -> list[str]:
    """What is wrong with it in light and in dark, in the window and at these widths, as lines that name it."""
    page.wait_for_load_state("load")
    page.evaluate(SETTLED)
    moved = page.evaluate("window.shifted")
    wrong = [f"layout shift {moved}"] if moved > 0.01 else []
    page.evaluate(AXE)
    wrong += _too_wide(page)
    wrong += violations(page, EVERY_RULE)
    page.emulate_media(color_scheme="dark")
    wrong += [f"dark: {found}" for found in violations(page, OF_A_SCHEME)]
    page.emulate_media(color_scheme="light")
    before = page.viewport_size
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        wrong += _too_wide(page)
        if width == PHONE:
            wrong += violations(page, OF_A_PHONE)
    if widths and before:
        page.set_viewport_size(before)
    return [f"{name}: {one}" for one in wrong]


def violations(page: Page, rules: list[str]) -> list[Any]:
    """What axe, which is in the page already, finds by these rules."""
    found: list[Any] = page.evaluate(VIOLATIONS, rules)
    return found


def _too_wide(page: Page) -> list[str]:
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{over} px too wide for {page.viewport_size}"] if over > 0 else []
