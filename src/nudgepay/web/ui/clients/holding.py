"""What a pause of a client, or its reminders switched off or on, would change; shown before it is saved."""

from datetime import date, timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.invoices.models import Client
from nudgepay.nudges.calendars import local_day
from nudgepay.nudges.differences import with_pause, with_reminders
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.clients.editing import client_by_id
from nudgepay.web.ui.differences import NOT_SHOWN, hold_difference
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.row_ids import RowId

router = APIRouter()
WriterPage = Annotated[Page, allowed(Permission.CLIENT_WRITE)]
Day = Annotated[str, Form(max_length=20)]
MaybeDay = Annotated[str | None, Form(max_length=20)]
SUGGESTED = timedelta(days=7)


class NoDay(ValueError):
    """No day, or one that has passed."""


@router.get("/clients/{client_id}/reminders", response_class=HTMLResponse)
def ask_switch(page: WriterPage, session: ReadSessionDep, client_id: RowId) -> Response:
    """What switching its reminders off, or on again, would change."""
    client = client_by_id(session, client_id)
    is_off = client.reminders_off_at is not None
    difference = hold_difference(session, page, client_id, partial(with_reminders, on=is_off))
    return page.show("clients/reminders.html", client=client, is_off=is_off, difference=difference)


@router.get("/clients/{client_id}/pause", response_class=HTMLResponse)
def ask_pause(page: WriterPage, session: ReadSessionDep, client_id: RowId) -> Response:
    """Until when? And what would that change?"""
    client = client_by_id(session, client_id)
    suggested = local_day(page.now, client.timezone) + SUGGESTED
    return pause_form(page, session, client, suggested.isoformat())


@router.post("/clients/{client_id}/pause/preview", response_class=HTMLResponse)
def preview_pause(page: WriterPage, session: ReadSessionDep, client_id: RowId, until: Day = "") -> Response:
    """What a pause through this day would change."""
    return pause_form(page, session, client_by_id(session, client_id), until)


def pause_form(
    page: Page,
    session: Session,
    client: Client,
    until: str,
    *,
    status: int = HTTPStatus.OK,
    is_unseen: bool = False,
) -> Response:
    """The form with what a pause through the day that was typed would change."""
    difference, problem = None, ""
    try:
        paused = partial(with_pause, until=day_of(page, client, until) or date.max)
        difference = hold_difference(session, page, client.id, paused)
    except NoDay:
        problem = page.gettext("Choose a day from today on.")
    return page.show(
        "clients/pause.html",
        status=status,
        client=client,
        until=until,
        shown=NOT_SHOWN if problem else until,
        problem=problem,
        difference=difference,
        is_unseen=is_unseen,
    )


def day_of(page: Page, client: Client, until: str) -> date | None:
    """The last day of a pause, None for one that a person ends; raises NoDay."""
    if not until:
        return None
    try:
        day = date.fromisoformat(until)
    except ValueError as error:
        raise NoDay(until) from error
    if day < local_day(page.now, client.timezone):
        raise NoDay(until)
    return day
