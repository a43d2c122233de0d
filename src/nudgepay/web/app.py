"""The whole HTTP surface on one page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import Route

from nudgepay import __version__
from nudgepay.db import AsyncStatements
from nudgepay.payments.ingest import EventWriter
from nudgepay.payments.signatures import accepted_secrets
from nudgepay.runtime import Runtime
from nudgepay.web import probes
from nudgepay.web.hooks import cron
from nudgepay.web.hooks.stripe import stripe_webhook


def create_app(runtime: Runtime) -> FastAPI:
    """The application over one runtime. No interactive docs: the API gets its own in time."""
    writer = EventWriter(AsyncStatements(runtime.db.url))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await writer.close()

    app = FastAPI(
        title="NudgePay", version=__version__, docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
    )
    app.state.runtime = runtime
    webhook = stripe_webhook(writer, lambda: accepted_secrets(runtime.settings.secret("stripe_webhook_secret")))
    app.router.routes.append(Route("/webhooks/stripe", webhook, methods=["POST"]))
    app.include_router(probes.router)
    app.include_router(cron.router)
    return app
