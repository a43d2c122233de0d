"""What a request may ask for: the runtime, and one transaction that commits before the answer leaves."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from nudgepay.runtime import Runtime


def runtime(request: Request) -> Runtime:
    """The process's runtime."""
    found: Runtime = request.app.state.runtime
    return found


def session(runtime: Annotated[Runtime, Depends(runtime)]) -> Iterator[Session]:
    """One transaction per request."""
    with runtime.db.transaction() as opened:
        yield opened


RuntimeDep = Annotated[Runtime, Depends(runtime)]
SessionDep = Annotated[Session, Depends(session, scope="function")]
