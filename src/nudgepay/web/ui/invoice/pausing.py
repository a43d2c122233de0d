"""The pause of one invoice, with what it would change before it is saved.

A form tells for which day the effect was shown; another day is shown before it is saved. A script that sends no such
word pauses at once. A form cannot DELETE, so POST with `_method=delete` does.
"""

from datetime import date, timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.invoices.actions import pause_invoice, unpause_invoice
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import invoice_by_id
from nudgepay.nudges.differences import with_pause
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.differences import NOT_SHOWN, hold_difference
from nudgepay.web.ui.invoice.acting import (
    Fields,
    FieldsDep,
    answer,
    is_delete,
    locked_as_shown,
    tells_conflicts,
    was_not_shown,
)
from nudgepay.web.ui.invoice.amounts import BadField, typed_day
from nudgepay.web.ui.invoice.showing import local_today
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.rendering import day

router = APIRouter()
PAUSE = "/invoices/{invoice_id:int}/pause"
Writing = Annotated[Page, allowed(Permission.INVOICE_WRITE)]
LONGEST = timedelta(days=3 * 366)
SUGGESTED = timedelta(days=7)


@router.get(PAUSE, response_class=HTMLResponse)
def ask_pause(page: Writing, session: ReadSessionDep, invoice_id: int) -> Response:
    """Until when? And what would that change?"""
    invoice = invoice_by_id(session, invoice_id)
    return _form(page, session, invoice, (local_today(page, invoice) + SUGGESTED).isoformat())


@router.post(PAUSE + "/preview", response_class=HTMLResponse)
def preview(page: Writing, session: ReadSessionDep, invoice_id: int, fields: FieldsDep) -> Response:
    """What a pause through the day of the form would change."""
    return _form(page, session, invoice_by_id(session, invoice_id), typed(fields))


@router.post(PAUSE)
@tells_conflicts
def pause(page: Writing, session: SessionDep, invoice_id: int, fields: FieldsDep) -> Response:
    """Silence through a day of the client, or without a day until somebody ends it."""
    if is_delete(fields):
        return _end_pause(page, session, invoice_id, fields)
    invoice = locked_as_shown(session, invoice_id, fields)
    try:
        until = _until(page, invoice, typed(fields))
    except BadField:
        return _form(page, session, invoice, typed(fields), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if was_not_shown(fields, "until"):
        return _form(page, session, invoice, typed(fields), is_unseen=True)
    pause_invoice(session, invoice, until=until, now=page.now, actor=page.actor)
    told = page.gettext("Paused until you end it.")
    if until is not None:
        told = page.gettext("Paused through %(day)s.") % {"day": day(until, page).striptags()}
    document = {"paused_until": str(invoice.paused_until)}
    return answer(page, invoice_id, document, told=told, undo=Undo(page.path, {"_method": "delete"}))


@router.delete(PAUSE)
@tells_conflicts
def unpause(page: Writing, session: SessionDep, invoice_id: int, fields: FieldsDep) -> Response:
    """End the pause at once."""
    return _end_pause(page, session, invoice_id, fields)


def _end_pause(page: Page, session: Session, invoice_id: int, fields: Fields) -> Response:
    invoice = locked_as_shown(session, invoice_id, fields)
    before = invoice.paused_until
    undo = None
    if before is not None:
        unpause_invoice(session, invoice, now=page.now, actor=page.actor)
        undo = Undo(page.path, {} if before == date.max else {"until": before.isoformat()})
    return answer(page, invoice_id, {"paused_until": None}, told=page.gettext("The pause is over."), undo=undo)


def _until(page: Page, invoice: Invoice, said: str) -> date | None:
    if not said:
        return None
    until, today = typed_day(said, page), local_today(page, invoice)
    if not today <= until <= today + LONGEST:
        raise BadField(page.gettext("Choose today or a later day, at most three years ahead."))
    return until


def typed(fields: Fields) -> str:
    """The day of the form, as it was typed."""
    return fields.get("until", "").strip()


def _form(
    page: Page,
    session: Session,
    invoice: Invoice,
    said: str,
    *,
    status: int = HTTPStatus.OK,
    is_unseen: bool = False,
) -> Response:
    """The form with what a pause through the day that was said would change."""
    difference, problems = None, {}
    try:
        until = _until(page, invoice, said) or date.max
        paused = partial(with_pause, until=until, invoice_id=invoice.id)
        difference = hold_difference(session, page, invoice.client_id, paused)
    except BadField as problem:
        problems["until"] = str(problem)
    return page.show(
        "invoice/pause.html",
        status=status,
        invoice=invoice,
        until=said,
        shown=NOT_SHOWN if problems else said,
        problems=problems,
        difference=difference,
        is_unseen=is_unseen,
    )
