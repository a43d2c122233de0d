"""Letters about one invoice exactly as they were sent: text, HTML in a sandbox, and the message itself as a file."""

import uuid
from typing import Annotated

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import invoice_by_id
from nudgepay.nudges.history import gather
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.models import Letter, Reminder
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.mail_parts import headers_of, html_answer, raw_answer, text_of
from nudgepay.web.ui.invoice.story import MOST_ROWS
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
LETTER = "/invoices/{invoice_id:int}/letters/{letter_id}"
Reading = Annotated[Page, allowed(Permission.LETTER_READ)]


def _found(session: Session, invoice: Invoice, letter_id: uuid.UUID) -> Letter | Mailing:
    """A letter that reminds of this invoice, its thank-you, or a statement its client got; NotFound for any other."""
    carried = select(Reminder.id).where(Reminder.letter_id == letter_id, Reminder.invoice_id == invoice.id)
    if session.scalar(carried.limit(1)) is not None:
        return session.get_one(Letter, letter_id)
    rows = [
        row["id"]
        for section in ("messages", "statements")
        for row in gather(session, section, invoice.id, invoice.client_id, newest=MOST_ROWS)
    ]
    message = session.get(Mailing, letter_id) if letter_id in rows else None
    if message is None or message.mime is None:
        raise NotFound("this invoice has no such letter")
    return message


@router.get(LETTER, response_class=HTMLResponse)
def show(page: Reading, session: ReadSessionDep, invoice_id: int, letter_id: uuid.UUID) -> Response:
    """The letter with its headers, as text and as its reader saw it."""
    invoice = invoice_by_id(session, invoice_id)
    letter = _found(session, invoice, letter_id)
    mime = bytes(letter.mime or b"")
    return page.show(
        "invoice/letter.html",
        invoice=invoice,
        letter=letter,
        headers=headers_of(mime),
        text=text_of(mime).replace("\r\n", "\n"),
        path=f"/invoices/{invoice.id}/letters/{letter.id}",
    )


@router.get(LETTER + "/html", response_class=HTMLResponse)
def show_html(_: Reading, session: ReadSessionDep, invoice_id: int, letter_id: uuid.UUID) -> Response:
    """Its HTML alone, under a policy of its own."""
    return html_answer(bytes(_found(session, invoice_by_id(session, invoice_id), letter_id).mime or b""))


@router.get(LETTER + "/raw")
def show_raw(_: Reading, session: ReadSessionDep, invoice_id: int, letter_id: uuid.UUID) -> Response:
    """The bytes that were handed to the relay."""
    letter = _found(session, invoice_by_id(session, invoice_id), letter_id)
    return raw_answer(bytes(letter.mime or b""), f"np.{letter.id}")
