"""Liveness checks nothing outside; readiness checks what the work needs, and that the work is being done."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import text

from nudgepay.automation.backlog import late_queues
from nudgepay.db import Database, DatabaseUnavailable
from nudgepay.runtime import Runtime
from nudgepay.schema_lifecycle.revisions import misfit

LONGEST_LOOK_SECONDS = 3.0
PATIENCE_SECONDS = 2.0
UNAVAILABLE = ["database unavailable"]
ASKED = ["GET", "HEAD"]
router = APIRouter()


class Readiness:
    """Looks at the database with a connection and a thread of its own: busy requests cannot make a probe wait."""

    def __init__(self, runtime: Runtime) -> None:
        """Connects with the first look."""
        self._db = Database(
            runtime.db.url, pool_size=1, application="nudgepay probe", patience_seconds=PATIENCE_SECONDS
        )
        self._minutes = runtime.settings.ready_backlog_minutes
        self._looker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="readiness")
        self._looking: Future[list[str]] | None = None

    async def reasons(self) -> list[str]:
        """Why the work cannot be done, after LONGEST_LOOK_SECONDS at most; whoever asks meanwhile shares the look."""
        if self._looking is None or self._looking.done():
            self._looking = self._looker.submit(self._look)
        try:
            looking = asyncio.wrap_future(self._looking)
            return await asyncio.wait_for(asyncio.shield(looking), LONGEST_LOOK_SECONDS)
        except TimeoutError:
            return UNAVAILABLE

    def close(self) -> None:
        """Let go of the thread and the connection."""
        self._looker.shutdown(wait=False, cancel_futures=True)
        self._db.close()

    def _look(self) -> list[str]:
        try:
            if (trouble := misfit(self._db)) is not None:
                return [trouble]
            with self._db.transaction() as session:
                is_read_only = session.scalar(text("SELECT current_setting('transaction_read_only')")) == "on"
                late = late_queues(session, patience=timedelta(minutes=self._minutes))
        except DatabaseUnavailable:
            return UNAVAILABLE
        reasons = ["database is read-only"] if is_read_only else []
        return reasons + [
            f"{queue}: waiting for more than {self._minutes} minutes; is a worker running?" for queue in late
        ]


def readiness(request: Request) -> Readiness:
    """The process's own."""
    found: Readiness = request.app.state.readiness
    return found


@router.api_route("/livez", methods=ASKED)
async def livez() -> Response:
    """200 while the process answers."""
    return JSONResponse({"status": "alive"})


@router.api_route("/healthz", methods=ASKED)
@router.api_route("/readyz", methods=ASKED)
async def readyz(readiness: Annotated[Readiness, Depends(readiness)]) -> Response:
    """200 when the database answers with this code's schema and nothing waits too long; else 503 with the reasons."""
    reasons = await readiness.reasons()
    status = 503 if reasons else 200
    return JSONResponse({"status": "not ready" if reasons else "ready", "reasons": reasons}, status_code=status)
