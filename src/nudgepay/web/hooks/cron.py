"""`POST /internal/run-reminders`: a signed call asks for a pass; each signature works once."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from nudgepay import clock
from nudgepay.automation.worker import wake_worker
from nudgepay.errors import OperationalError
from nudgepay.nudges.cron import BadCronSignature, accept_call
from nudgepay.runtime import Runtime

router = APIRouter()
MAX_BODY = 4_096
READ_TIMEOUT_SECONDS = 10


@router.post("/internal/run-reminders", status_code=202)
async def run_reminders(request: Request) -> JSONResponse:
    """202: a pass is asked for. 401: not signed by us, too old, or used. 404: no secret is set."""
    runtime: Runtime = request.app.state.runtime
    secret = runtime.settings.secret("cron_hmac_secret")
    if secret is None:
        return JSONResponse({"detail": "Not found"}, 404)
    body = await asyncio.wait_for(request.body(), READ_TIMEOUT_SECONDS)
    if len(body) > MAX_BODY:
        return JSONResponse({"detail": "too large"}, 413)
    try:
        await run_in_threadpool(_accept, runtime, secret, request, body)
    except BadCronSignature:
        return JSONResponse({"detail": "not signed"}, 401)
    except OperationalError:
        return JSONResponse({"detail": "try again later"}, 503)
    return JSONResponse({"status": "a pass is asked for"}, 202)


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
    wake_worker(runtime.db.url, "nudge_pass")
