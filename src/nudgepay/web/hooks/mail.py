"""`POST /webhooks/mail`: what a mail provider tells of letters, signed as Standard Webhooks describe it.

The body is `{"events": [{"type", "message_id", "recipient", "status", "at"}]}`. An event is taken once however often
it comes: a fate that is known changes nothing, so a replay needs no memory.
"""

import asyncio
import binascii
from collections import Counter

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from nudgepay import clock, metrics
from nudgepay.db import DatabaseUnavailable
from nudgepay.gateways.mail import DeliveryReport, Fate
from nudgepay.nudges.bounces import record_report
from nudgepay.payments.signatures import accepted_secrets
from nudgepay.runtime import Runtime

router = APIRouter()
ACTOR = "webhook:mail"
MAX_EVENTS = 500
READ_TIMEOUT_SECONDS = 10


class MailEvent(BaseModel):
    """One letter's fate; `status` is an enhanced status code (RFC 3463), `at` an instant with its zone."""

    model_config = ConfigDict(extra="ignore")

    type: Fate
    message_id: str = Field(max_length=400)
    recipient: str = Field(default="", max_length=254)
    status: str = Field(default="", max_length=12, pattern=r"^([245]\.\d{1,3}\.\d{1,3})?$")
    at: AwareDatetime | None = None


class MailEvents(BaseModel):
    """What one call tells."""

    events: list[MailEvent] = Field(max_length=MAX_EVENTS)


@router.post("/webhooks/mail")
async def mail_webhook(request: Request) -> JSONResponse:
    """200 with counts once all is committed; 400 not signed by us or not understood; 404 while no secret is set."""
    runtime: Runtime = request.app.state.runtime
    secrets = accepted_secrets(runtime.settings.secret("mail_webhook_secret"))
    if not secrets:
        return JSONResponse({"detail": "Not found"}, 404)
    try:
        raw = await asyncio.wait_for(request.body(), READ_TIMEOUT_SECONDS)
        if not any(_is_signed_with(secret, raw, request) for secret in secrets):
            return _refuse(400, "signature", "not signed")
        told = MailEvents.model_validate_json(raw)
        taken = await run_in_threadpool(_record, runtime, told)
    except (TimeoutError, ClientDisconnect):
        return _refuse(408, "unreadable", "too slow")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return _refuse(400, "malformed", f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    except DatabaseUnavailable:
        return _refuse(503, "unavailable", "try again later")
    metrics.webhook_events.labels(provider="mail", outcome="accepted").inc()
    return JSONResponse({"taken": taken})


def _is_signed_with(secret: str, raw: bytes, request: Request) -> bool:
    try:
        Webhook(secret).verify(raw, dict(request.headers), json_parse=False)
    except (WebhookVerificationError, ValueError, binascii.Error):
        return False
    return True


def _record(runtime: Runtime, told: MailEvents) -> dict[str, int]:
    taken: Counter[str] = Counter()
    for event in told.events:
        report = DeliveryReport(
            event.message_id,
            event.type,
            recipient=event.recipient,
            status=event.status,
            at=event.at,
            source="webhook",
        )
        with runtime.db.transaction() as session:
            taken[record_report(session, report, now=clock.now(), actor=ACTOR)] += 1
    return dict(taken)


def _refuse(status: int, outcome: str, detail: str) -> JSONResponse:
    metrics.webhook_events.labels(provider="mail", outcome=outcome).inc()
    return JSONResponse({"detail": detail}, status)
