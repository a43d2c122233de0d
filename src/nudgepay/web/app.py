"""The whole HTTP surface on one page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import Route

from nudgepay import __version__
from nudgepay.config import Settings
from nudgepay.db import AsyncStatements
from nudgepay.payments.ingest import EventWriter
from nudgepay.payments.signatures import accepted_secrets
from nudgepay.runtime import Runtime
from nudgepay.web import assets, probes
from nudgepay.web.errors import add_error_handlers
from nudgepay.web.hooks import cron, mail
from nudgepay.web.hooks.stripe import stripe_webhook
from nudgepay.web.middleware import add_middleware
from nudgepay.web.misses import Misses
from nudgepay.web.outbox import pages as outbox
from nudgepay.web.pay import documents, receipt, showing, statement, telling, unsubscribing
from nudgepay.web.shortcut import Shortcut
from nudgepay.web.ui.rooms import ROOMS

STRIPE_HOOK = "/webhooks/stripe"


def create_app(runtime: Runtime) -> Shortcut:
    """The application over one runtime, with the one hot path in front of it.

    No interactive docs: the API gets its own in time. Each room's routes are ready as they are;
    `include_router` would work each of them out anew, and the first request would wait for it.
    """
    writer = EventWriter(AsyncStatements(runtime.db.url))
    readiness = probes.Readiness(runtime)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await writer.close()
        readiness.close()

    app = FastAPI(
        title="NudgePay", version=__version__, docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
    )
    app.state.runtime = runtime
    app.state.readiness = readiness
    app.state.misses = Misses()
    app.state.token_misses = Misses()
    webhook = stripe_webhook(writer, lambda: accepted_secrets(runtime.settings.secret("stripe_webhook_secret")))
    app.router.routes.append(Route(STRIPE_HOOK, webhook, methods=["POST"]))
    for room in (probes, cron, mail, assets, showing, receipt, documents, statement, telling, unsubscribing, *ROOMS):
        app.router.routes.extend(room.router.routes)
    if shows_outbox(runtime.settings):
        app.router.routes.extend(outbox.router.routes)
    add_error_handlers(app, runtime.settings)
    add_middleware(app, runtime.settings)
    return Shortcut(app, path=STRIPE_HOOK, endpoint=webhook)


def shows_outbox(settings: Settings) -> bool:
    """Letters are shown in a browser only where they are files on a developer's machine."""
    return settings.environment in {"development", "test"} and settings.mail_transport == "outbox"
