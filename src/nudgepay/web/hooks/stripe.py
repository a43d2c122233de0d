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


class Compressed(Exception):
    """Stripe compresses nothing, and what is signed are the bytes as they came."""


UNREADABLE: dict[type[BaseException], int] = {TooLarge: 413, Compressed: 415}


def stripe_webhook(
    writer: EventWriter, accepted: Callable[[], tuple[str, ...]]
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint; 404 while no secret is set. `accepted` is asked for each request, so secrets may rotate."""

    accepted_events = metrics.webhook_events.labels(provider="stripe", outcome="accepted")
    ok = PlainTextResponse("ok")

    async def endpoint(request: Request) -> Response:
        secrets = accepted()
        if not secrets:
            return PlainTextResponse("Not found", 404)
        try:
            if _header(request, b"content-encoding").lower() not in {"", "identity"}:
                raise Compressed
            async with asyncio.timeout(READ_TIMEOUT_SECONDS):
                raw = await _read(request)
            ensure_signed(raw, _header(request, b"stripe-signature"), secrets, now=clock.now())
            event = parse(raw)
            await writer.write(event)
        except (TooLarge, Compressed, TimeoutError, ClientDisconnect) as error:
            return _refuse(UNREADABLE.get(type(error), 408), "unreadable")
        except BadSignature as error:
            return _refuse(400, f"signature_{error.reason}")
        except BadEvent:
            return _refuse(400, "malformed")
        except DatabaseUnavailable:
            return _refuse(503, "unavailable")
        accepted_events.inc()
        return ok

    return endpoint


async def _read(request: Request) -> bytes:
    declared = _header(request, b"content-length")
    if declared.isdigit() and int(declared) > MAX_BODY:
        raise TooLarge
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY:
            raise TooLarge
    return bytes(chunks)


def _header(request: Request, name: bytes) -> str:
    """One header's value, without building a view of all of them."""
    return next((value.decode("latin-1") for key, value in request.scope["headers"] if key == name), "")


def _refuse(status: int, outcome: str) -> Response:
    metrics.webhook_events.labels(provider="stripe", outcome=outcome).inc()
    return PlainTextResponse("refused" if status < 500 else "try again later", status)
