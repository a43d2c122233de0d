"""`/letters/{id}`: one letter as it went out, what became of it, and how that is known."""

import uuid
from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.operators import names_of
from nudgepay.access.permissions import Permission
from nudgepay.nudges.letters import letter_record
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.mail_parts import attachments_of, headers_of, html_answer, raw_answer, text_of
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
LetterPage = Annotated[Page, allowed(Permission.LETTER_READ)]


@router.get("/letters/{letter_id}", response_class=HTMLResponse)
def letter(letter_id: uuid.UUID, page: LetterPage, session: ReadSessionDep) -> Response:
    """Both of its bodies, its lines, its way, and what is to be decided."""
    record = letter_record(session, letter_id)
    mime = record["letter"].mime
    return page.show(
        "letters/letter.html",
        **record,
        names=names_of(session, [act.actor for act in record["acts"]]),
        headers=headers_of(mime),
        text=text_of(mime),
        attachments=attachments_of(mime),
        receipts=page.runtime.settings.smtp_receipts,
    )


@router.get("/letters/{letter_id}/html", response_class=HTMLResponse)
def as_html(letter_id: uuid.UUID, page: LetterPage, session: ReadSessionDep) -> Response:
    """The HTML part, for the frame on the letter's page."""
    return html_answer(letter_record(session, letter_id)["letter"].mime)


@router.get("/letters/{letter_id}/raw")
def as_sent(letter_id: uuid.UUID, page: LetterPage, session: ReadSessionDep) -> Response:
    """The bytes that were handed to the relay."""
    return raw_answer(letter_record(session, letter_id)["letter"].mime, str(letter_id))
