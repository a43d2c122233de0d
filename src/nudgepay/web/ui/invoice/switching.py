"""The switch, the pause and the release of one invoice. A form cannot DELETE, so POST with `_method=delete` does."""

from datetime import date, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.invoices.actions import pause_invoice, release_amnesty, switch_reminders, unpause_invoice
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import invoice_by_id
from nudgepay.nudges.terms import terms_of
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.invoice.acting import Fields, FieldsDep, answer, locked_as_shown, tells_conflicts
from nudgepay.web.ui.invoice.amounts import BadField, typed_day
from nudgepay.web.ui.invoice.outlook import outlook
from nudgepay.web.ui.invoice.showing import local_today
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.rendering import day

router = APIRouter()
REMINDERS = "/invoices/{invoice_id:int}/reminders"
PAUSE = "/invoices/{invoice_id:int}/pause"
RELEASE = "/invoices/{invoice_id:int}/release"
Writing = Annotated[Page, allowed(Permission.INVOICE_WRITE)]
Releasing = Annotated[Page, allowed(Permission.AMNESTY_RELEASE)]
LONGEST = timedelta(days=3 * 366)


@router.post(REMINDERS)
@tells_conflicts
def switch_on(page: Writing, session: SessionDep, invoice_id: int, fields: FieldsDep) -> Response:
    """Remind of this invoice (again)."""
    return _switch(page, session, invoice_id, fields, on=not is_delete(fields))


@router.delete(REMINDERS)
@tells_conflicts
def switch_off(page: Writing, session: SessionDep, invoice_id: int, fields: FieldsDep) -> Response:
    """Send nothing about this invoice by itself."""
    return _switch(page, session, invoice_id, fields, on=False)


def is_delete(fields: Fields) -> bool:
    """True for a form that stands for DELETE."""
    return fields.get("_method", "").lower() == "delete"


def _switch(page: Page, session: Session, invoice_id: int, fields: Fields, *, on: bool) -> Response:
    invoice = locked_as_shown(session, invoice_id, fields)
    if on == (invoice.reminders_off_at is not None):
        switch_reminders(session, invoice, on=on, now=page.now, actor=page.actor)
    told = page.gettext("Reminders are on.") if on else page.gettext("Reminders are off.")
    back = Undo(page.path, {"_method": "delete"} if on else {})
    return answer(page, invoice_id, {"reminders": "on" if on else "off"}, told=told, undo=back)


@router.get(PAUSE, response_class=HTMLResponse)
def ask_pause(page: Writing, session: ReadSessionDep, invoice_id: int) -> Response:
    """Until when?"""
    return _pause_form(page, invoice_by_id(session, invoice_id), {}, {})


@router.post(PAUSE)
@tells_conflicts
def pause(page: Writing, session: SessionDep, invoice_id: int, fields: FieldsDep) -> Response:
    """Silence through a day of the client, or without a day until somebody ends it."""
    if is_delete(fields):
        return _end_pause(page, session, invoice_id, fields)
    invoice = locked_as_shown(session, invoice_id, fields)
    try:
        until = _until(page, invoice, fields)
    except BadField as problem:
        session.rollback()
        return _pause_form(page, invoice_by_id(session, invoice_id), fields, {"until": str(problem)})
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


def _until(page: Page, invoice: Invoice, fields: Fields) -> date | None:
    if not fields.get("until", "").strip():
        return None
    until, today = typed_day(fields["until"], page), local_today(page, invoice)
    if not today <= until <= today + LONGEST:
        raise BadField(page.gettext("Choose today or a later day, at most three years ahead."))
    return until


def _pause_form(page: Page, invoice: Invoice, typed: Fields, problems: dict[str, str]) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    today = local_today(page, invoice)
    suggested = [today + timedelta(days=days) for days in (7, 14, 30)]
    return page.show(
        "invoice/pause.html", status=status, invoice=invoice, typed=typed, problems=problems, suggested=suggested
    )


@router.get(RELEASE, response_class=HTMLResponse)
def ask_release(page: Releasing, session: ReadSessionDep, invoice_id: int) -> Response:
    """What would go then, and when."""
    invoice = invoice_by_id(session, invoice_id)
    coming = outlook(page, session, invoice, terms_of(page.runtime.settings), released=True)
    return page.show("invoice/release.html", invoice=invoice, outlook=coming, client=invoice.client)


@router.post(RELEASE)
@tells_conflicts
def release(page: Releasing, session: SessionDep, invoice_id: int, fields: FieldsDep) -> Response:
    """An imported overdue invoice may be reminded of from now on."""
    invoice = locked_as_shown(session, invoice_id, fields)
    release_amnesty(session, [invoice.id], now=page.now, actor=page.actor)
    told = page.gettext("Released. The next letter is named below; pause it if it should wait.")
    return answer(page, invoice_id, {"released": True}, told=told)
