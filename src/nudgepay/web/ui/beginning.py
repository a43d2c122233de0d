"""A session begins, however somebody proved who they are: its cookie, and the one that makes the browser known."""

from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from nudgepay import audit
from nudgepay.access.known_devices import DAYS, remember_device
from nudgepay.access.models import Operator
from nudgepay.access.sessions import end_session_with, start_session
from nudgepay.runtime import Runtime
from nudgepay.web.ui.cookies import Cookies
from nudgepay.web.ui.credentials import place_of

OF_THE_DOOR = ("before", "code")
"""Cookies that are of no use inside."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """The values of the cookies of a session that has begun."""

    session_token: str
    device_token: str


def begin_session(request: Request, runtime: Runtime, session: Session, operator: Operator) -> Beginning:
    """Start it, in the caller's transaction; what was signed in here before ends."""
    cookies, settings = Cookies.of(runtime.settings), runtime.settings
    end_session_with(session, cookies.get(request, "session") or "")
    place = place_of(request, settings)
    token = start_session(session, operator.id, hours=settings.session_absolute_hours, place=place)
    device = remember_device(session, operator.id, token=cookies.get(request, "device"))
    actor, subject = f"operator:{operator.id}", f"operators:{operator.id}"
    audit.record(session, actor=actor, action="session.start", subject=subject)
    return Beginning(token, device)


def let_in(runtime: Runtime, begun: Beginning, wanted: str) -> Response:
    """On to the page that was wanted, with the cookies."""
    response = RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
    cookies = Cookies.of(runtime.settings)
    cookies.put(response, "session", begun.session_token, seconds=runtime.settings.session_absolute_hours * 3600)
    cookies.put(response, "device", begun.device_token, seconds=DAYS * 86_400)
    for what in OF_THE_DOOR:
        cookies.drop(response, what)
    return response
