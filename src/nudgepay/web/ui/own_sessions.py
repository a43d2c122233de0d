"""`/account/sessions`: end one's own sessions, one or all others; and for who may, somebody else's."""

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay import audit
from nudgepay.access.models import Operator
from nudgepay.access.permissions import Permission
from nudgepay.access.sessions import end_session_of, end_sessions_of, live_sessions
from nudgepay.errors import NotFound
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.devices import device_words
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
AccountPage = Annotated[Page, allowed(Permission.ACCOUNT_WRITE)]
OperatorsPage = Annotated[Page, allowed(Permission.OPERATOR_WRITE)]
OTHERS = "/operators/{operator_id}/sessions"


@router.post("/account/sessions/{session_id}/end")
def end_one(page: AccountPage, session: SessionDep, session_id: int) -> Response:
    """One of my own. It is over at its next request, in every process."""
    _end(session, page, page.signed.operator_id, session_id)
    return page.go("/account", told=page.gettext("That session has ended."))


@router.post("/account/sessions/end-others")
def end_others(page: AccountPage, session: SessionDep) -> Response:
    """All of my own but this one."""
    ended = end_sessions_of(session, page.signed.operator_id, but=page.signed.session_id)
    subject = f"operators:{page.signed.operator_id}"
    audit.record(session, actor=page.actor, action="session.end_others", subject=subject, after={"count": ended})
    told = page.ngettext("%(count)s other session has ended.", "%(count)s other sessions have ended.", ended)
    return page.go("/account", told=told % {"count": ended})


@router.get(OTHERS, response_class=HTMLResponse)
def of_operator(page: OperatorsPage, session: ReadSessionDep, operator_id: int) -> Response:
    """Where a colleague is signed in."""
    operator = session.get(Operator, operator_id)
    if operator is None:
        raise NotFound("there is no such operator")
    rows = live_sessions(session, operator_id, idle_minutes=page.runtime.settings.session_idle_minutes)
    sessions = [(one, device_words(page, one.user_agent)) for one in rows]
    return page.show("account/of_operator.html", operator=operator, sessions=sessions)


@router.post(OTHERS + "/{session_id}/end")
def end_one_of_operator(page: OperatorsPage, session: SessionDep, operator_id: int, session_id: int) -> Response:
    """One of a colleague's: a lost laptop, a person who has left."""
    _end(session, page, operator_id, session_id)
    return page.go(OTHERS.format(operator_id=operator_id), told=page.gettext("That session has ended."))


def _end(session: SessionDep, page: Page, operator_id: int, session_id: int) -> None:
    if session_id < 1 << 63 and end_session_of(session, operator_id, session_id):
        audit.record(session, actor=page.actor, action="session.end", subject=f"operators:{operator_id}")
