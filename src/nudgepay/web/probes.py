"""Liveness checks nothing outside; readiness checks what the work needs, and that the work is being done."""

from datetime import timedelta

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError

from nudgepay.automation.backlog import late_queues
from nudgepay.db import DatabaseUnavailable, is_outage
from nudgepay.runtime import Runtime
from nudgepay.schema_lifecycle.migrate import current, head
from nudgepay.web.deps import RuntimeDep

router = APIRouter()


@router.get("/livez")
def livez() -> Response:
    """200 while the process answers."""
    return JSONResponse({"status": "alive"})


@router.get("/healthz")
@router.get("/readyz")
def readyz(runtime: RuntimeDep) -> Response:
    """200 when the database answers with this code's schema and nothing waits too long; else 503 with the reasons."""
    reasons = _reasons(runtime)
    status = 503 if reasons else 200
    return JSONResponse({"status": "not ready" if reasons else "ready", "reasons": reasons}, status_code=status)


def _reasons(runtime: Runtime) -> list[str]:
    minutes = runtime.settings.ready_backlog_minutes
    try:
        if current(runtime.db) != head():
            return ["schema is not at this code's revision"]
        with runtime.db.transaction() as session:
            late = late_queues(session, patience=timedelta(minutes=minutes))
    except DatabaseUnavailable:
        return ["database unavailable"]
    except DBAPIError as error:
        if not is_outage(error):
            raise
        return ["database unavailable"]
    return [f"{queue}: waiting for more than {minutes} minutes; is a worker running?" for queue in late]
