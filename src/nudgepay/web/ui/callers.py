"""Routes that a signed-in person may ask, or a program with a token. Only for what changes nothing.

@router.get("/things/download")
def download(caller: Annotated[Caller, allowed_to_programs(Permission.THING_EXPORT)]) -> Response:
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from nudgepay import clock
from nudgepay.access.permissions import Permission
from nudgepay.runtime import Runtime
from nudgepay.web.bearer import TokenRefused, is_meant_for_programs, program_that_asks
from nudgepay.web.ui.page import guard, signed_in


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and whether they still might: a long answer looks again on its way."""

    request: Request
    runtime: Runtime
    actor: str
    now: datetime
    still_may: Callable[[], bool]


def allowed_to_programs(permission: Permission) -> Any:
    """The dependency that hands a GET its Caller. A token that is named counts alone, whatever cookie came too."""
    person = guard(permission)

    async def entered(request: Request) -> Caller:
        runtime: Runtime = request.app.state.runtime
        if is_meant_for_programs(request):
            program = await run_in_threadpool(program_that_asks, request, runtime, permission)
            return Caller(request, runtime, program.actor, clock.now(), _still(_program_may, request, permission))
        page = await person(request)
        return Caller(request, runtime, page.actor, page.now, _still(_person_may, request, permission))

    entered.permission = permission  # type: ignore[attr-defined]
    entered.takes_tokens = True  # type: ignore[attr-defined]
    return Depends(entered)


def _still(
    look: Callable[[Request, Permission], bool], request: Request, permission: Permission
) -> Callable[[], bool]:
    return lambda: look(request, permission)


def _program_may(request: Request, permission: Permission) -> bool:
    try:
        program_that_asks(request, request.app.state.runtime, permission)
    except TokenRefused:
        return False
    return True


def _person_may(request: Request, permission: Permission) -> bool:
    signed = signed_in(request, request.app.state.runtime)
    return signed is not None and signed.may(permission)
