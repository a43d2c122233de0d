"""`POST /webhooks/stripe`: cap, raw-byte signature, one INSERT, commit, 2xx. A bare route, for speed."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from nudgepay import clock, metrics
from nudgepay.db import DatabaseUnavailable
from nudgepay.payments.inbox import MAX_BODY, BadEvent, parse
from nudgepay.payments.ingest import EventWriter
from nudgepay.payments.signatures import BadSignature, ensure_signed

READ_TIMEOUT_SECONDS = 10


class TooLarge(Exception):
    """The body is larger than any event of Stripe's."""


def stripe_webhook(
    writer: EventWriter, accepted: Callable[[], tuple[str, ...]]
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint; 404 while no secret is set. `accepted` is asked for each request, so secrets may rotate."""

    async def endpoint(request: Request) -> Response:
        secrets = accepted()
        if not secrets:
            return PlainTextResponse("Not found", 404)
        try:
            raw = await asyncio.wait_for(_read(request), READ_TIMEOUT_SECONDS)
            ensure_signed(raw, request.headers.get("stripe-signature", ""), secrets, now=clock.now())
            event = parse(raw)
            await writer.write(event)
        except (TooLarge, TimeoutError, ClientDisconnect) as error:
            return _refuse(413 if isinstance(error, TooLarge) else 408, "unreadable")
        except BadSignature as error:
            return _refuse(400, f"signature_{error.reason}")
        except BadEvent:
            return _refuse(400, "malformed")
        except DatabaseUnavailable:
            return _refuse(503, "unavailable")
        metrics.webhook_events.labels(provider="stripe", outcome="accepted").inc()
        return PlainTextResponse("ok")

    return endpoint


async def _read(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MAX_BODY:
        raise TooLarge
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY:
            raise TooLarge
    return bytes(chunks)


def _refuse(status: int, outcome: str) -> Response:
    metrics.webhook_events.labels(provider="stripe", outcome=outcome).inc()
    return PlainTextResponse("refused" if status < 500 else "try again later", status)
