"""Liveness checks nothing outside; readiness checks what the work needs."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from nudgepay.db import DatabaseUnavailable
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
    """200 when the database answers and has this code's schema; else 503 with the reasons."""
    reasons: list[str] = []
    try:
        runtime.db.ping()
        if current(runtime.db) != head():
            reasons.append("schema is not at this code's revision")
    except DatabaseUnavailable:
        reasons.append("database unavailable")
    status = 503 if reasons else 200
    return JSONResponse({"status": "not ready" if reasons else "ready", "reasons": reasons}, status_code=status)
