"""A real browser before a real server: the payer's way, from the link in the mail to the money in the books."""

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from pydantic import SecretStr

from nudgepay import clock
from nudgepay.config import Settings
from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.invoices.actions import create_client, create_invoice
from nudgepay.invoices.models import Client, Contact, Invoice
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.mailings.statements import request_statement
from nudgepay.nudges.passes import run_pass
from nudgepay.nudges.queries import load_clients
from nudgepay.nudges.switch import ensure_switch
from nudgepay.nudges.terms import terms_of
from nudgepay.payments.apply import drain
from nudgepay.payments.terms import stripe_terms
from nudgepay.runtime import Runtime, build_runtime
from nudgepay.web.serving import server_config
from nudgepay.web.ui.cookies import Cookies
from web.ui.desk import signed_in_as

WEBHOOK_SECRET = "whsec_browser_tests_on_loopback_only"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desktop": (1280, 900), "phone": (360, 740)}
OUR_OWN_SCRIPT = "Blocked script execution"
"""What a sandboxed frame says to the script below, which the browser brings into every frame."""
SHIFTS = """
window.shifted = 0;
new PerformanceObserver(list => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value; })
  .observe({type: "layout-shift", buffered: true});
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for one file: a longer life would leave its event loop running under the tests of other rooms."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@dataclass
class Visitor:
    """One person's browser, and everything that it complained about."""

    context: BrowserContext
    page: Page
    complaints: list[str]


@contextmanager
def visiting(browser: Browser, *, size: str = "desktop", scheme: str = "light") -> Iterator[Visitor]:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce", locale="en-GB"
    )
    context.add_init_script(SHIFTS)
    page = context.new_page()
    page.set_default_timeout(15_000)
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        is_ours = message.text.startswith(OUR_OWN_SCRIPT)
        if message.type in {"error", "warning"} and "favicon" not in message.location["url"] and not is_ours:
            complaints.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield Visitor(context, page, complaints)
    context.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    with visiting(browser) as one:
        yield one


@dataclass
class Shop:
    """An installation that serves, a stand-in for Stripe beside it, one client with two overdue invoices."""

    runtime: Runtime
    stripe: FakeStripe
    url: str
    client_id: int
    token: str
    contact_token: str

    def link(self, path: str = "") -> str:
        return f"{self.url}/p/{self.token}{path}"

    def invoice(self) -> Invoice:
        with self.runtime.db.transaction() as session:
            return session.query(Invoice).filter_by(token=self.token).one()

    def is_blocked(self) -> bool:
        with self.runtime.db.transaction() as session:
            client = load_clients(session, [self.client_id], now=clock.now())[self.client_id]
        return client.contacts[0].blocked is not None

    def statement_link(self) -> str:
        """The page behind a statement of account that was asked for."""
        with self.runtime.db.transaction() as session:
            client = session.get_one(Client, self.client_id)
            request_statement(session, client, terms=terms_of(self.runtime.settings), now=clock.now())
            return f"{self.url}/s/{session.query(Mailing).one().token}"

    def apply_events(self) -> None:
        drain(self.runtime.db, self.runtime.stripe, terms=stripe_terms(self.runtime.settings), now=clock.now())

    def send_what_is_due(self) -> int:
        """One pass at a moment inside the client's sending hours."""
        settings = self.runtime.settings
        with self.runtime.db.transaction() as session:
            ensure_switch(session, environment=settings.environment, actor="test")
        at = clock.now().replace(hour=10, minute=0) + timedelta(days=1)
        while at.weekday() > 4:
            at += timedelta(days=1)
        report = run_pass(
            self.runtime.db,
            transport=self.runtime.mail,
            receipts=self.runtime.receipts,
            terms=terms_of(settings),
            environment=settings.environment,
            now=at,
            actor="test",
        )
        return int(report.as_document()["letters"])


@pytest.fixture
def shop(settings: Settings) -> Iterator[Shop]:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    with FakeStripe() as stripe:
        given = settings.model_copy(
            update={
                "stripe_secret_key": SecretStr(stripe.api_key),
                "stripe_webhook_secret": SecretStr(WEBHOOK_SECRET),
                "stripe_api_base": stripe.url,
                "base_url": f"http://127.0.0.1:{port}",
                "business_address": "Hafenstraße 12, 20457 Hamburg, Germany",
            }
        )
        runtime = build_runtime(given)
        server = uvicorn.Server(server_config(runtime, host="127.0.0.1", port=port))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            threading.Event().wait(0.02)
        stripe.send_webhooks_to(f"http://127.0.0.1:{port}/webhooks/stripe", WEBHOOK_SECRET)
        client_id, token, contact = _books(runtime)
        yield Shop(runtime, stripe, f"http://127.0.0.1:{port}", client_id, token, contact)
        server.should_exit = True
        thread.join(10)
        runtime.close()


def _books(runtime: Runtime) -> tuple[int, str, str]:
    now = clock.now()
    with runtime.db.transaction() as session:
        client = create_client(
            session,
            name="Klara Lindner Internationale Feinbackwaren und Konditoreibedarf GmbH & Co. KG",
            email="klara@lindner.example",
            locale="en",
            timezone="Europe/Berlin",
            country="DE",
            actor="test",
        )
        invoices = [
            create_invoice(
                session,
                client_id=client.id,
                number=number,
                currency="EUR",
                amount_due=amount,
                issued_on=date(2026, 2, 1),
                due_on=now.date() - timedelta(days=3),
                now=now,
                actor="test",
            )
            for number, amount in (("20260042INTERNATIONALDELIVERYNOTE4711", 123_450), ("A-2", 9_900))
        ]
        contact = session.query(Contact).filter_by(client_id=client.id).one()
        return client.id, invoices[0].token, contact.token


@pytest.fixture
def colleague(browser: Browser, shop: Shop) -> Iterator[Visitor]:
    """An operator of the shop, signed in, at a desktop."""
    with visiting(browser) as one:
        name = Cookies.of(shop.runtime.settings).name("session")
        one.context.add_cookies([{"name": name, "value": signed_in_as(shop.runtime), "url": shop.url}])
        yield one
