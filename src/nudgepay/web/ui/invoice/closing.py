"""Void, write off, open again: each shows what it will do before it does it."""

from typing import Annotated, Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound
from nudgepay.invoices.actions import close_invoice, reopen_invoice
from nudgepay.invoices.queries import invoice_by_id
from nudgepay.nudges.terms import terms_of
from nudgepay.payments.books import reallocate
from nudgepay.payments.models import StripeInvoice
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.invoice.acting import Fields, FieldsDep, answer, locked_as_shown, tells_conflicts
from nudgepay.web.ui.invoice.outlook import outlook
from nudgepay.web.ui.page import Page, Undo, allowed

router = APIRouter()
Writing = Annotated[Page, allowed(Permission.INVOICE_WRITE)]
ENDS = {"void": "void", "write-off": "uncollectible"}
"""The word in the path, and the status it leads to."""


@router.get("/invoices/{invoice_id:int}/close/{how}", response_class=HTMLResponse)
def ask(page: Writing, session: ReadSessionDep, invoice_id: int, how: str) -> Response:
    """What it would end, and what becomes of the money that came."""
    invoice = invoice_by_id(session, invoice_id)
    status = _status(how)
    return page.show(
        "invoice/close.html",
        invoice=invoice,
        status_wanted=status,
        can_close=invoice.status == "open" or (invoice.status, status) == ("draft", "void"),
        outlook=outlook(page, session, invoice, terms_of(page.runtime.settings)),
        is_stripes=session.get(StripeInvoice, invoice.id) is not None,
    )


@router.post("/invoices/{invoice_id:int}/close/{how}")
@tells_conflicts
def close(page: Writing, session: SessionDep, invoice_id: int, how: str, fields: FieldsDep) -> Response:
    """It is claimed no more."""
    status = _status(how)
    invoice = locked_as_shown(session, invoice_id, fields)
    close_invoice(session, invoice, status=status, now=page.now, actor=page.actor)
    told = (
        page.gettext("Voided: nothing more is sent.")
        if status == "void"
        else page.gettext("Written off: nothing more is sent.")
    )
    return _done(
        page,
        session,
        invoice.id,
        invoice.client_id,
        {"status": status},
        told,
        Undo(f"/invoices/{invoice.id}/reopen", {}),
    )


@router.post("/invoices/{invoice_id:int}/reopen")
@tells_conflicts
def reopen(page: Writing, session: SessionDep, invoice_id: int, fields: FieldsDep) -> Response:
    """Take a void or write-off back; its letters go on where they were."""
    invoice = locked_as_shown(session, invoice_id, fields)
    reopen_invoice(session, invoice, now=page.now, actor=page.actor)
    told = page.gettext("Open again: the next letter is named below.")
    if invoice.status == "draft":
        told = page.gettext("It is a draft again: nothing goes until it is opened.")
    return _done(page, session, invoice.id, invoice.client_id, {"status": invoice.status}, told, None)


def _status(how: str) -> str:
    if how not in ENDS:
        raise NotFound("an invoice is closed by void or write-off")
    return ENDS[how]


def _done(
    page: Page, session: Session, invoice_id: int, client_id: int, document: Fields, told: str, undo: Undo | None
) -> Response:
    """What the money says of it now follows from the books."""
    session.flush()
    reallocate(session, client_id, now=page.now)
    shown: dict[str, Any] = dict(document)
    return answer(page, invoice_id, shown, told=told, undo=undo)
