"""The switch and the release of one invoice. A form cannot DELETE, so POST with `_method=delete` does.

The page shows what a switch would change; a script that DELETEs or POSTs switches at once.
"""

from functools import partial
from typing import Annotated

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.invoices.actions import release_amnesty, switch_reminders
from nudgepay.invoices.queries import invoice_by_id
from nudgepay.nudges.differences import with_reminders
from nudgepay.nudges.terms import terms_of
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.differences import hold_difference
from nudgepay.web.ui.invoice.acting import Fields, FieldsDep, answer, is_delete, locked_as_shown, tells_conflicts
from nudgepay.web.ui.invoice.outlook import outlook
from nudgepay.web.ui.page import Page, Undo, allowed

router = APIRouter()
REMINDERS = "/invoices/{invoice_id:int}/reminders"
RELEASE = "/invoices/{invoice_id:int}/release"
Writing = Annotated[Page, allowed(Permission.INVOICE_WRITE)]
Releasing = Annotated[Page, allowed(Permission.AMNESTY_RELEASE)]


@router.get(REMINDERS, response_class=HTMLResponse)
def ask_switch(page: Writing, session: ReadSessionDep, invoice_id: int) -> Response:
    """What switching its reminders off, or on again, would change."""
    invoice = invoice_by_id(session, invoice_id)
    is_off = invoice.reminders_off_at is not None
    switched = partial(with_reminders, on=is_off, invoice_id=invoice.id)
    difference = hold_difference(session, page, invoice.client_id, switched)
    return page.show("invoice/reminders.html", invoice=invoice, is_off=is_off, difference=difference)


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


def _switch(page: Page, session: Session, invoice_id: int, fields: Fields, *, on: bool) -> Response:
    invoice = locked_as_shown(session, invoice_id, fields)
    if on == (invoice.reminders_off_at is not None):
        switch_reminders(session, invoice, on=on, now=page.now, actor=page.actor)
    told = page.gettext("Reminders are on.") if on else page.gettext("Reminders are off.")
    back = Undo(page.path, {"_method": "delete"} if on else {})
    return answer(page, invoice_id, {"reminders": "on" if on else "off"}, told=told, undo=back)


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
