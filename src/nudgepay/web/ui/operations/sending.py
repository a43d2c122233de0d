"""`/operations/sending`: the big switch. Pausing has a way back; resuming shows first what would leave."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.acts import RESUME_RESTORED
from nudgepay.access.operators import names_of
from nudgepay.access.permissions import Permission
from nudgepay.access.trust import NotCovered
from nudgepay.nudges.answers import SendingSwitch
from nudgepay.nudges.resuming import AHEAD, look_out
from nudgepay.nudges.switch import SwitchMoved, pause_sending, read_switch, resume_sending, resuming_restored
from nudgepay.nudges.terms import terms_of
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.approvals.asking import ask_second_person, ensure_fresh
from nudgepay.web.ui.operations.words import TABS
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.words import N_

router = APIRouter()
PATH = "/operations/sending"
SwitchPage = Annotated[Page, allowed(Permission.SENDING_SWITCH)]
Seen = Annotated[str, Form(max_length=40)]
SHORTEST_REASON, LONGEST_REASON = 3, 200
FIRST_LETTERS = 12
NEVER = datetime.min.replace(tzinfo=UTC)
MOVED = N_("Somebody else has moved the switch since you looked. Look again, then decide.")
NO_REASON = N_("Say why: everybody who asks why nothing leaves reads it.")


@router.get(PATH, response_class=HTMLResponse)
def sending(page: Annotated[Page, allowed(Permission.OPERATION_READ)], session: ReadSessionDep) -> Response:
    """Whether anything may leave, since when, by whom, and why."""
    return _show(page, session)


@router.post(f"{PATH}/pause")
def pause(
    page: SwitchPage,
    session: SessionDep,
    reason: Annotated[str, Form(max_length=2000)] = "",
    seen: Seen = "",
) -> Response:
    """Nothing leaves from the next last look on. Raises SwitchMoved."""
    given = " ".join(reason.split())[:LONGEST_REASON]
    if len(given) < SHORTEST_REASON:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return _show(page, session, reason=reason, problem=NO_REASON, status=status)
    before = read_switch(session)
    old_reason = before.reason if before is not None and before.paused_at is not None else None
    environment = page.runtime.settings.environment
    try:
        switch = pause_sending(session, reason=given, environment=environment, actor=page.actor, seen=_instant(seen))
    except SwitchMoved:
        return _show(page, session, reason=reason, problem=MOVED, status=HTTPStatus.CONFLICT)
    undo = _way_back(old_reason, switch.changed_at)
    return page.go(PATH, told=page.gettext("Sending is paused. Reminders wait; none is lost."), undo=undo)


@router.get(f"{PATH}/resume", response_class=HTMLResponse)
def preview(page: SwitchPage, session: ReadSessionDep) -> Response:
    """What would leave if sending were on: the engine's own answer. Changes nothing."""
    switch = read_switch(session)
    if switch is None or switch.paused_at is None:
        return page.go(PATH, told=page.gettext("Sending is on already."))
    return _preview(page, session, switch)


@router.post(f"{PATH}/resume")
def resume(
    page: SwitchPage,
    session: SessionDep,
    seen: Seen = "",
    reason: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Letters may leave again. Raises SwitchMoved when the pause is not the one that the preview was about."""
    switch = read_switch(session)
    if switch is None or switch.paused_at is None:
        return page.go(PATH, told=page.gettext("Sending is on already."))
    old_reason = switch.reason or page.gettext("paused by hand")
    given = " ".join(reason.split())[:LONGEST_REASON] or None
    environment = page.runtime.settings.environment
    params = resuming_restored(switch)
    if params is not None:
        ensure_fresh(page)
    try:
        woken = resume_sending(
            session,
            environment=environment,
            actor=page.actor,
            reason=given,
            seen=switch.changed_at if params is not None else _instant(seen) or NEVER,
            signed=page.signed,
        )
    except NotCovered:
        return ask_second_person(page, session, RESUME_RESTORED, params or {}, why=reason, path=f"{PATH}/resume")
    except SwitchMoved:
        return _preview(page, session, switch, has_moved=True, status=HTTPStatus.CONFLICT)
    told = page.ngettext(
        "Sending is on. %(count)d reminder had waited for it.",
        "Sending is on. %(count)d reminders had waited for it.",
        woken,
    ) % {"count": woken}
    undo = Undo(f"{PATH}/pause", {"reason": old_reason, "seen": switch.changed_at.isoformat()})
    return page.go(PATH, told=told, undo=undo)


def _preview(
    page: Page, session: Session, switch: SendingSwitch, *, has_moved: bool = False, status: int = 200
) -> Response:
    return page.show(
        "operations/resume.html",
        status=status,
        tabs=TABS,
        switch=switch,
        has_moved=has_moved,
        outlook=look_out(session, terms=terms_of(page.runtime.settings), now=page.now),
        days=AHEAD.days,
        first=FIRST_LETTERS,
    )


def _way_back(old_reason: str | None, changed_at: datetime) -> Undo:
    """What was before the pause: sending, or another pause with its own reason."""
    seen = changed_at.isoformat()
    if old_reason is None:
        return Undo(f"{PATH}/resume", {"seen": seen})
    return Undo(f"{PATH}/pause", {"seen": seen, "reason": old_reason})


def _show(page: Page, session: Session, *, reason: str = "", problem: str = "", status: int = 200) -> Response:
    switch = read_switch(session)
    return page.show(
        "operations/sending.html",
        status=status,
        tabs=TABS,
        switch=switch,
        names=names_of(session, [switch.changed_by] if switch else []),
        reason=reason,
        problem=problem,
    )


def _instant(seen: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(seen)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
