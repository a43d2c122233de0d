"""A stranger's first hour: `nudgepay demo`, the sign-in that it prints, and everything from overdue money to silence."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import visiting

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

SIGN_IN = re.compile(r"Sign in as:\s+(\S+)\s+(\S+)")
FILE = (
    "client_name,client_email,client_locale,client_timezone,client_country,invoice_number,issued_on,due_on,currency,amount\n"
    "Café Morgen,kasse@morgen.example,en-GB,Europe/London,GB,CM-7,2026-01-05,2099-01-31,GBP,310.50\n"
)


def test_from_overdue_money_to_silence(browser: Browser, tmp_path: Path) -> None:
    with demo(tmp_path) as (url, email, password), visiting(browser) as owner:
        page = owner.page
        page.goto(url)
        page.get_by_label("E-mail address").fill(email)
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Today")
        late_money_is_found(page)
        every_silence_is_explained(page, url)
        a_schedule_is_changed_after_its_difference(page, url)
        a_file_is_imported(page, url, tmp_path)
        link = an_invoice_is_nudged(page, tmp_path)
        with visiting(browser, size="phone") as payer:
            paid_on_a_phone(payer.page, link)
            assert payer.complaints == []
        nothing_is_claimed_any_more(page)
        assert owner.complaints == []


def late_money_is_found(page: Page) -> None:
    page.get_by_role("region", name="What is owed").get_by_role("link", name="€5,400.00").click()
    expect(page.get_by_role("row", name=re.compile("2026-116.*Ferro Metallbau.*€5,400.00"))).to_be_visible()


def every_silence_is_explained(page: Page, url: str) -> None:
    page.goto(f"{url}/invoices")
    rows = page.locator("tbody tr")
    assert rows.count() == 16
    for row in rows.all():
        assert row.locator("td").last.inner_text().strip(), row.inner_text()
    page.get_by_role("link", name="2026-112").click()
    expect(page.get_by_role("region", name="What happens next")).to_contain_text("Reminders are paused")
    page.goto(f"{url}/letters")
    expect(page.get_by_role("row", name=re.compile("klara@lindner.example.*Accepted")).first).to_be_visible()


def a_schedule_is_changed_after_its_difference(page: Page, url: str) -> None:
    page.goto(f"{url}/schedules/default/edit")
    page.get_by_label("How many").nth(3).fill("10")
    page.get_by_role("button", name=re.compile("^Show what would change")).click()
    expect(page.get_by_role("heading", name="What would change")).to_be_visible()
    assert page.locator("ins.diff-new time").count() > 0
    page.get_by_role("button", name="Save as a new version").click()
    expect(page.get_by_role("status")).to_contain_text("Version 2 is in force")


def a_file_is_imported(page: Page, url: str, tmp_path: Path) -> None:
    file = tmp_path / "invoices.csv"
    file.write_text(FILE, encoding="utf-8")
    page.goto(f"{url}/import")
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Look at the file").click()
    page.get_by_role("button", name="Import 1 invoice").click()
    page.get_by_role("link", name="See the clients").click()
    page.get_by_role("link", name="Café Morgen").click()
    page.get_by_role("link", name="CM-7").click()


def an_invoice_is_nudged(page: Page, tmp_path: Path) -> str:
    """Send a letter by hand; returns the way to pay that stands in it."""
    page.get_by_role("link", name="Nudge now").click()
    expect(page.frame_locator("iframe").locator("body")).to_contain_text("£310.50")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Sent to kasse@morgen.example.")
    letter = max((tmp_path / "home" / "outbox").glob("*.eml"), key=lambda one: one.stat().st_mtime)
    found = re.search(r"http://127\.0\.0\.1:\d+/p/[\w-]+", letter.read_text().replace("=\n", ""))
    assert found is not None
    return found.group()


def paid_on_a_phone(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_role("button", name="Pay £310.50").click()
    page.get_by_role("button", name="Pay by card").click()
    page.wait_for_url("**/p/**")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Thank you")


def nothing_is_claimed_any_more(page: Page) -> None:
    for _ in range(30):
        page.reload()
        if page.get_by_role("region", name="What happens next").get_by_text("Nothing is owed any more").count():
            break
        page.wait_for_timeout(1000)
    expect(page.get_by_role("region", name="What happens next")).to_contain_text("Nothing is owed any more")
    expect(page.get_by_role("link", name="Nudge now")).to_have_count(0)


@contextmanager
def demo(tmp_path: Path) -> Iterator[tuple[str, str, str]]:
    """The command itself, in a home of its own; yields its address and the sign-in that it prints."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = tmp_path / "told"
    with told.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "nudgepay.cli", "demo", "--port", str(port)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "NUDGEPAY_HOME": str(tmp_path / "home")},
        )
        try:
            found = _sign_in_of(process, told)
            yield f"http://127.0.0.1:{port}", found[1], found[2]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def _sign_in_of(process: subprocess.Popen[bytes], told: Path) -> re.Match[str]:
    for _ in range(1200):
        if found := SIGN_IN.search(told.read_text()):
            return found
        assert process.poll() is None, told.read_text()
        time.sleep(0.1)
    raise AssertionError(told.read_text())
