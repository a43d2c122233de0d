"""What a request may ask for: the runtime, the present, and one transaction that commits before the answer leaves."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from nudgepay import clock
from nudgepay.runtime import Runtime


def runtime(request: Request) -> Runtime:
    """The process's runtime."""
    found: Runtime = request.app.state.runtime
    return found


def now() -> datetime:
    """The instant of the request (UTC)."""
    return clock.now()


def session(runtime: Annotated[Runtime, Depends(runtime)]) -> Iterator[Session]:
    """One transaction per request."""
    with runtime.db.transaction() as opened:
        yield opened


def read_session(runtime: Annotated[Runtime, Depends(runtime)]) -> Iterator[Session]:
    """One transaction in which PostgreSQL refuses every change: for what a GET may do."""
    with runtime.db.transaction() as opened:
        opened.connection(execution_options={"postgresql_readonly": True})
        yield opened


RuntimeDep = Annotated[Runtime, Depends(runtime)]
NowDep = Annotated[datetime, Depends(now)]
SessionDep = Annotated[Session, Depends(session, scope="function")]
ReadSessionDep = Annotated[Session, Depends(read_session, scope="function")]
