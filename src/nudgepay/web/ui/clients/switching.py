"""The switches of a client, each a state of its own with its way back: reminders, a pause, automatic debits."""

from datetime import date
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import Response

from nudgepay.access.permissions import Permission
from nudgepay.invoices.actions import switch_client_reminders
from nudgepay.invoices.client_edits import pause_client, switch_autopay, unpause_client
from nudgepay.invoices.queries import lock_client
from nudgepay.nudges.calendars import local_day
from nudgepay.web.deps import SessionDep
from nudgepay.web.ui.clients.holding import Day, MaybeDay, NoDay, day_of, pause_form
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.row_ids import RowId

router = APIRouter()
WriterPage = Annotated[Page, allowed(Permission.CLIENT_WRITE)]


@router.post("/clients/{client_id}/reminders")
def reminders_on(page: WriterPage, session: SessionDep, client_id: RowId) -> Response:
    """Chase this client's invoices."""
    _switch_reminders(page, session, client_id, on=True)
    told = page.gettext("Reminders are on for this client.")
    return page.go(f"/clients/{client_id}", told=told, undo=Undo(f"/clients/{client_id}/reminders/off", {}))


@router.delete("/clients/{client_id}/reminders")
@router.post("/clients/{client_id}/reminders/off")
def reminders_off(page: WriterPage, session: SessionDep, client_id: RowId) -> Response:
    """Be silent towards this client until somebody switches it on."""
    _switch_reminders(page, session, client_id, on=False)
    told = page.gettext("Reminders are off: this client gets none until you switch them on.")
    return page.go(f"/clients/{client_id}", told=told, undo=Undo(f"/clients/{client_id}/reminders", {}))


def _switch_reminders(page: Page, session: Session, client_id: int, *, on: bool) -> None:
    client = lock_client(session, client_id)
    if (client.reminders_off_at is None) != on:
        switch_client_reminders(session, client, on=on, now=page.now, actor=page.actor)


@router.post("/clients/{client_id}/pause")
def pause(
    page: WriterPage, session: SessionDep, client_id: RowId, until: Day = "", shown: MaybeDay = None
) -> Response:
    """Be silent through a day of the client, or, without one, until it is ended.

    A form that `shown` another day's effect gets that of this one first.
    """
    there = f"/clients/{client_id}"
    client = lock_client(session, client_id)
    try:
        day = day_of(page, client, until)
    except NoDay:
        if shown is not None:
            return pause_form(page, session, client, until, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        return page.go(f"{there}#chasing", told=page.gettext("Choose a day from today on."), bad=True)
    if shown is not None and shown != until:
        return pause_form(page, session, client, until, is_unseen=True)
    before = client.paused_until
    pause_client(session, client_id, until=day, now=page.now, actor=page.actor)
    way_back = Undo(f"{there}/pause/end", {})
    if before is not None and before >= local_day(page.now, client.timezone):
        way_back = Undo(f"{there}/pause", {"until": "" if before == date.max else before.isoformat()})
    return page.go(there, told=page.gettext("Paused: no reminder goes to this client meanwhile."), undo=way_back)


@router.delete("/clients/{client_id}/pause")
@router.post("/clients/{client_id}/pause/end")
def end_pause(page: WriterPage, session: SessionDep, client_id: RowId) -> Response:
    """Go on at once."""
    before = lock_client(session, client_id).paused_until
    unpause_client(session, client_id, now=page.now, actor=page.actor)
    there = f"/clients/{client_id}"
    until = "" if before is None or before == date.max else before.isoformat()
    way_back = Undo(f"{there}/pause", {"until": until}) if before is not None else None
    return page.go(there, told=page.gettext("The pause is over."), undo=way_back)


@router.post("/clients/{client_id}/autopay")
def autopay_on(page: WriterPage, session: SessionDep, client_id: RowId) -> Response:
    """Its invoices are debited by themselves: nobody asks for them."""
    switch_autopay(session, client_id, on=True, now=page.now, actor=page.actor)
    told = page.gettext("Debited automatically: no reminder goes out unless a debit has failed for good.")
    return page.go(f"/clients/{client_id}", told=told, undo=Undo(f"/clients/{client_id}/autopay/off", {}))


@router.delete("/clients/{client_id}/autopay")
@router.post("/clients/{client_id}/autopay/off")
def autopay_off(page: WriterPage, session: SessionDep, client_id: RowId) -> Response:
    """It pays by itself no more."""
    switch_autopay(session, client_id, on=False, now=page.now, actor=page.actor)
    told = page.gettext("This client is asked to pay again.")
    return page.go(f"/clients/{client_id}", told=told, undo=Undo(f"/clients/{client_id}/autopay", {}))
