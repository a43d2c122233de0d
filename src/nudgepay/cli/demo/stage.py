"""The demo's stage: an own database, the pages, and a stand-in for Stripe, all on loopback."""

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from nudgepay import log
from nudgepay.access.operators import (
    add_operator,
    change_password,
    has_operators,
    operator_by_email,
    reset_second_factor,
)
from nudgepay.access.permissions import Role
from nudgepay.audit import acting_from
from nudgepay.config import Settings
from nudgepay.config.environment import process_environment
from nudgepay.errors import Refused, UsageError
from nudgepay.gateways.fakes.stripe import FakeStripe
from nudgepay.runtime import Runtime, build_runtime
from nudgepay.schema_lifecycle.migrate import migrate
from nudgepay.web.serving import server_config

API_KEY = "sk_test_demo"
WEBHOOK_SECRET = "whsec_demo_on_loopback_only"  # noqa: S105  # signs events of the stand-in beside it
OPERATOR = "owner@atelier-nord.example"
START_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Stage:
    """What the story is played on."""

    runtime: Runtime
    stripe: FakeStripe
    url: str
    password: str


@contextmanager
def set_up(*, port: int) -> Iterator[Stage]:
    """Build it, and take it down again. Raises Refused outside development, UsageError for a taken port."""
    environment = process_environment()
    if environment.get("ENVIRONMENT", "development") not in {"development", "test"}:
        raise Refused("the demo is for development; it never runs with ENVIRONMENT=production or staging")
    home = Path(environment.get("NUDGEPAY_HOME", "var"))
    log.configure("WARNING")
    with FakeStripe(api_key=API_KEY) as stripe:
        _remember(stripe, home / "demo-stripe.json")
        runtime = build_runtime(_settings(home, stripe.url, port))
        try:
            migrate(runtime.db)
            password = _let_owner_in(runtime)
            with acting_from("cli:demo"), _pages(runtime, port) as url:
                stripe.send_webhooks_to(f"{url}/webhooks/stripe", WEBHOOK_SECRET)
                yield Stage(runtime, stripe, url, password)
        finally:
            _save(stripe, home / "demo-stripe.json")
            runtime.close()


def _let_owner_in(runtime: Runtime) -> str:
    """The one operator, with a password made up for this run."""
    password = secrets.token_urlsafe(9)
    with runtime.db.transaction() as session:
        if has_operators(session):
            owner = operator_by_email(session, OPERATOR)
            change_password(session, owner, password, actor="demo")
            reset_second_factor(session, owner, actor="demo")
        else:
            add_operator(session, email=OPERATOR, password=password, role=Role.SUPERADMIN, actor="demo")
    return password


def _audit_key(home: Path) -> str:
    """The key that signs the audit log of these books, made with them."""
    file = home / "demo-audit-key"
    if not file.exists():
        home.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(32))
    return file.read_text()


def _settings(home: Path, stripe_url: str, port: int) -> Settings:
    return Settings.load(
        {
            "ENVIRONMENT": "test",
            "NUDGEPAY_HOME": str(home),
            "BASE_URL": f"http://127.0.0.1:{port}",
            "BUSINESS_NAME": "Atelier Nord",
            "BUSINESS_ADDRESS": "Hafenstraße 12, 20457 Hamburg, Germany",
            "BUSINESS_IBAN": "DE89370400440532013000",
            "BUSINESS_BIC": "COBADEFFXXX",
            "FROM_EMAIL": "invoices@atelier-nord.example",
            "AUDIT_SIGNING_KEY": _audit_key(home),
            "AUDIT_ANCHOR_DIR": str(home / "audit-anchors"),
            "STRIPE_SECRET_KEY": API_KEY,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "STRIPE_API_BASE": stripe_url,
        }
    ).ensure_valid()


@contextmanager
def _pages(runtime: Runtime, port: int) -> Iterator[str]:
    server = uvicorn.Server(server_config(runtime, host="127.0.0.1", port=port))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(START_SECONDS * 10):
        if server.started or not thread.is_alive():
            break
        threading.Event().wait(0.1)
    if not server.started:
        raise UsageError(f"--port: {port} cannot be listened on; choose another")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def _remember(stripe: FakeStripe, file: Path) -> None:
    with suppress(OSError, ValueError):
        known = json.loads(file.read_text())
        stripe.store.objects.update(known["objects"])
        stripe.store.events.extend(known["events"])


def _save(stripe: FakeStripe, file: Path) -> None:
    with stripe.store.lock:
        known = {"objects": stripe.store.objects, "events": stripe.store.events}
        file.write_text(json.dumps(known))
