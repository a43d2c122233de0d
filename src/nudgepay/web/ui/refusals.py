"""What somebody signed in tried and may not: written down although nothing was done."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from nudgepay import audit
from nudgepay.errors import NudgePayError
from nudgepay.runtime import Runtime

TOLD = frozenset({403, 409})


def note_refusal(runtime: Runtime, actor: str, request: Request, why: str) -> None:
    """One audit row that outlives the rollback; it names the route and never what was sent."""
    route = getattr(request.scope.get("route"), "path", None) or "unknown"
    with runtime.db.independent() as session:
        after = {"method": request.method, "why": why}
        audit.record(session, actor=actor, action="access.refused", subject=f"routes:{route}", after=after)


@contextmanager
def refusals_noted(runtime: Runtime, actor: str, request: Request) -> Iterator[None]:
    """A refusal in the block (403, 409) is written down, and goes on."""
    try:
        yield
    except NudgePayError as error:
        if error.status in TOLD:
            note_refusal(runtime, actor, request, type(error).__name__)
        raise
