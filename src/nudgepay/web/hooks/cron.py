"""`POST /internal/run-reminders`: a signed call asks for a pass; each signature works once."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from nudgepay import clock, metrics
from nudgepay.automation.waking import wake_worker
from nudgepay.db import DatabaseUnavailable
from nudgepay.nudges.cron import BadCronSignature, accept_call
from nudgepay.runtime import Runtime

router = APIRouter()
MAX_BODY = 4_096
READ_TIMEOUT_SECONDS = 10


class TooLarge(Exception):
    """The body is larger than any call of a clock's."""


@router.post("/internal/run-reminders", status_code=202)
async def run_reminders(request: Request) -> JSONResponse:
    """202: a pass is asked for. 401: not signed by us, too old, or used. 404: no secret is set."""
    runtime: Runtime = request.app.state.runtime
    secret = runtime.settings.secret("cron_hmac_secret")
    if not secret:
        return JSONResponse({"detail": "Not found"}, 404)
    try:
        body = await asyncio.wait_for(_read(request), READ_TIMEOUT_SECONDS)
        await run_in_threadpool(_accept, runtime, secret, request, body)
    except TooLarge:
        return _answer(413, "unreadable", "too large")
    except (TimeoutError, ClientDisconnect):
        return _answer(408, "unreadable", "too slow")
    except BadCronSignature:
        return _answer(401, "unsigned", "not signed")
    except DatabaseUnavailable:
        return _answer(503, "unavailable", "try again later")
    return _answer(202, "accepted", "a pass is asked for")


async def _read(request: Request) -> bytes:
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY:
            raise TooLarge
    return bytes(chunks)


def _accept(runtime: Runtime, secret: str, request: Request, body: bytes) -> None:
    with runtime.db.transaction() as session:
        accept_call(
            session,
            secret=secret,
            timestamp=request.headers.get("x-cron-timestamp", ""),
            signature=request.headers.get("x-cron-signature", ""),
            body=body,
            now=clock.now(),
        )
        wake_worker(session, "nudge_pass")


def _answer(status: int, outcome: str, detail: str) -> JSONResponse:
    metrics.webhook_events.labels(provider="cron", outcome=outcome).inc()
    return JSONResponse({"status": detail} if status == 202 else {"detail": detail}, status)
