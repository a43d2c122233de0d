"""A morning at the desk: a notice is understood, resolved and taken back; sending is paused, and resumed after a look."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from browser.conftest import Shop, Visitor
from nudgepay import ledger
from nudgepay.config import Settings
from nudgepay.gateways.fakes.dns import FakeDns
from nudgepay.nudges.switch import is_paused


@pytest.fixture
def name_server() -> Iterator[FakeDns]:
    """Says nothing about DMARC until it is told to."""
    with FakeDns({}, silent=frozenset({"_dmarc.atelier.example"})) as server:
        yield server


@pytest.fixture
def settings(settings: Settings, name_server: FakeDns) -> Settings:
    """Of a shop whose relay is away."""
    given = {"mail_transport": "smtp", "smtp_host": "127.0.0.1", "smtp_port": 1, "dns_servers": name_server.address}
    return settings.model_copy(update=given)


def _paused(shop: Shop) -> bool:
    with shop.runtime.db.transaction() as session:
        return is_paused(session)


def test_a_notice_is_understood_resolved_and_taken_back(colleague: Visitor, shop: Shop) -> None:
    with shop.runtime.db.transaction() as session:
        details = {"invoice_id": shop.invoice().id, "promise_id": 1}
        ledger.notice(session, "promise.broken", "promise.broken:1", details)
    page = colleague.page
    page.goto(f"{shop.url}/operations")
    page.get_by_role("link", name="A promised day has passed without the money").click()
    notice = page.locator(".notice")
    expect(notice).to_contain_text("Klara Lindner")
    expect(notice).to_contain_text("A call helps more than another letter.")
    expect(notice.get_by_role("link", name="Open the invoice")).to_have_attribute(
        "href", f"/invoices/{shop.invoice().id}"
    )
    notice.get_by_role("button", name="Resolve").click()
    expect(page.get_by_role("status")).to_contain_text("Resolved.")
    expect(page.locator(".notice")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".notice")).to_have_count(1)
    expect(page.get_by_role("status")).to_contain_text("It is open again.")
    assert colleague.complaints == []


def test_sending_is_paused_with_a_reason_and_resumed_after_a_look_at_what_leaves(
    colleague: Visitor, shop: Shop
) -> None:
    page = colleague.page
    page.goto(f"{shop.url}/operations")
    page.get_by_role("link", name="Pause …").click()
    page.get_by_label("Reason").fill("the bank's pages are down")
    page.get_by_role("button", name="Pause sending").click()
    expect(page.get_by_text("Sending is paused").first).to_be_visible()
    expect(page.get_by_text("“the bank's pages are down”")).to_be_visible()
    assert _paused(shop)
    page.get_by_role("link", name="Resume …").click()
    expect(page.get_by_text("Klara Lindner").first).to_be_visible()
    expect(page.get_by_text("€1,333.50").first).to_be_visible()
    assert _paused(shop), "looking is not resuming"
    page.get_by_role("button", name="Resume sending").click()
    expect(page.get_by_role("status")).to_contain_text("Sending is on.")
    assert not _paused(shop)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("“the bank's pages are down”")).to_be_visible()
    assert _paused(shop)
    assert colleague.complaints == []


def test_a_slow_look_at_the_sender_is_watched_as_it_goes_on(
    colleague: Visitor, shop: Shop, name_server: FakeDns
) -> None:
    page = colleague.page
    page.goto(f"{shop.url}/settings/sender")
    expect(page.get_by_text("Nobody has looked yet").first).to_be_visible()
    page.locator(".empty").get_by_role("button", name="Check now").click()
    expect(page.locator("#check")).to_contain_text("atelier.example has no SPF record")
    expect(page.locator("#check")).to_contain_text("Looking …")
    name_server.silent = frozenset()
    expect(page.locator("#check")).to_contain_text("atelier.example has no DMARC record")
    expect(page.locator("#check .panel-head")).to_contain_text(re.compile("Looked"))
    expect(page.locator("#check [hx-trigger]")).to_have_count(0)
    assert colleague.complaints == []
