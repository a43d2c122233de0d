"""A client's statement of account: looked at first, then sent."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Annotated, cast

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound
from nudgepay.nudges.client_file import last_statement_of
from nudgepay.nudges.mailings.composing import NotAnyMore
from nudgepay.nudges.mailings.statements import NobodyToWriteTo, Preview, preview_statement, request_statement
from nudgepay.nudges.terms import terms_of
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.clients.editing import client_by_id
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.row_ids import RowId

router = APIRouter()
SenderPage = Annotated[Page, allowed(Permission.LETTER_SEND)]
LETTER_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
"""A mail carries inline styles; it is shown in a sandboxed frame and may do nothing else."""


@router.get("/clients/{client_id}/statement", response_class=HTMLResponse)
def preview(page: SenderPage, session: ReadSessionDep, client_id: RowId) -> Response:
    """The letter as it would be written now, and why it cannot be where it cannot."""
    client = client_by_id(session, client_id)
    found: Preview | None = None
    obstacle = ""
    try:
        found = preview_statement(session, client, terms=terms_of(page.runtime.settings), now=page.now)
    except NobodyToWriteTo:
        obstacle = page.gettext("Nobody at this client can be written to.")
    except NotAnyMore:
        obstacle = page.gettext("Nothing is asked for: there is no open invoice that is not being paid.")
    return page.show(
        "clients/statement.html",
        client=client,
        found=found,
        text=_part(found, "plain") if found else "",
        obstacle=obstacle,
        last=last_statement_of(session, client_id),
    )


@router.get("/clients/{client_id}/statement/html", response_class=HTMLResponse)
def preview_html(page: SenderPage, session: ReadSessionDep, client_id: RowId) -> Response:
    """Its HTML as a mail program shows it, for the sandboxed frame."""
    client = client_by_id(session, client_id)
    try:
        found = preview_statement(session, client, terms=terms_of(page.runtime.settings), now=page.now)
    except (NobodyToWriteTo, NotAnyMore) as error:
        raise NotFound("there is no statement to show") from error
    return HTMLResponse(_part(found, "html"), headers={"Content-Security-Policy": LETTER_POLICY})


@router.post("/clients/{client_id}/statement")
def send(page: SenderPage, session: SessionDep, client_id: RowId) -> Response:
    """Ask for it: it leaves with the next mailings, in the reader's office hours; once a day at most."""
    client = client_by_id(session, client_id)
    made = request_statement(session, client, terms=terms_of(page.runtime.settings), now=page.now)
    told = page.gettext("The statement goes out next, in the reader's office hours.")
    already = page.gettext("Today's statement was asked for already.")
    return page.go(f"/clients/{client_id}", told=told if made else already)


def _part(found: Preview, kind: str) -> str:
    message = message_from_bytes(found.composed.mime, policy=policy.default)
    body = cast("EmailMessage | None", message.get_body((kind,)))
    return str(body.get_content()) if body is not None else ""
