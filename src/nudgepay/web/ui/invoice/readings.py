"""A letter that a person wanted to read first: its words as they would go now, and the approval."""

from typing import Annotated, Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import invoice_by_id
from nudgepay.nudges.reviews import NotWaiting, approve_review, waiting_reviews
from nudgepay.nudges.terms import terms_of
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.invoice.acting import FieldsDep, answer, framed, locked_as_shown, tells_conflicts
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
READING = "/invoices/{invoice_id:int}/readings/{reminder_id:int}"
Sending = Annotated[Page, allowed(Permission.LETTER_SEND)]


@router.get(READING, response_class=HTMLResponse)
def read(page: Sending, session: ReadSessionDep, invoice_id: int, reminder_id: int) -> Response:
    """The letter as it would be written now."""
    invoice = invoice_by_id(session, invoice_id)
    waiting = _waiting(page, session, invoice, reminder_id)
    return page.show("invoice/reading.html", invoice=invoice, waiting=waiting, path=page.path)


@router.get(READING + "/html", response_class=HTMLResponse)
def read_html(page: Sending, session: ReadSessionDep, invoice_id: int, reminder_id: int) -> Response:
    """The same as its reader would see it, for the sandboxed frame."""
    return framed(_waiting(page, session, invoice_by_id(session, invoice_id), reminder_id)["html"])


@router.post(READING)
@tells_conflicts
def approve(page: Sending, session: SessionDep, invoice_id: int, reminder_id: int, fields: FieldsDep) -> Response:
    """It may go with the next pass."""
    invoice = locked_as_shown(session, invoice_id, fields)
    _waiting(page, session, invoice, reminder_id)
    approve_review(session, reminder_id, now=page.now, actor=page.actor)
    told = page.gettext("Approved: it goes as soon as nothing else holds it.")
    return answer(page, invoice_id, {"approved": True}, told=told)


def _waiting(page: Page, session: Session, invoice: Invoice, reminder_id: int) -> dict[str, Any]:
    terms = terms_of(page.runtime.settings)
    found = waiting_reviews(session, terms=terms, now=page.now, invoice_id=invoice.id)
    for one in found:
        if one["reminder_id"] == reminder_id:
            return one
    raise NotWaiting(f"reminder {reminder_id} does not wait for a review")
