"""`/u/{token}`: a page that asks, and a POST that stops the letters to this one person (RFC 8058)."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from nudgepay.errors import NotFound
from nudgepay.invoices.models import Contact
from nudgepay.nudges.suppressions import lift_suppression, suppress
from nudgepay.runtime import Runtime
from nudgepay.web.deps import NowDep, ReadSessionDep, RuntimeDep, SessionDep
from nudgepay.web.pay.finding import open_contact
from nudgepay.web.pay.reader import Reader, reader_for
from nudgepay.web.pay.view import frame
from nudgepay.web.rendering import render

router = APIRouter()
REASON = "unsubscribed"


@router.api_route("/u/{token}", methods=["GET", "HEAD"], response_class=HTMLResponse)
def ask(token: str, request: Request, session: ReadSessionDep, runtime: RuntimeDep) -> Response:
    """Ask first: mail scanners follow links. Changes nothing."""
    _, reader = _reader(token, request, session, runtime)
    business = runtime.settings.business_name
    return _page(reader, runtime, reader.t("unsubscribe.title", business=business), "text", "button", token=token)


@router.post("/u/{token}", response_class=HTMLResponse)
def stop(
    token: str,
    request: Request,
    session: SessionDep,
    runtime: RuntimeDep,
    now: NowDep,
    undo: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Stop reminders to this person, or take that back. The same again changes nothing."""
    contact, reader = _reader(token, request, session, runtime)
    if undo == "yes":
        try:
            lift_suppression(session, address=contact.email, reason=REASON, now=now, actor="payer")
        except NotFound:
            session.rollback()
        return _page(reader, runtime, reader.t("unsubscribe.undone_title"), None, None, token=token)
    suppress(session, address=contact.email, reason=REASON, source="one-click", now=now, actor="payer")
    return _page(reader, runtime, reader.t("unsubscribe.done_title"), "done_text", "undo", token=token)


def _reader(token: str, request: Request, session: Session, runtime: Runtime) -> tuple[Contact, Reader]:
    contact = open_contact(request, session, token)
    return contact, reader_for(request, runtime.settings, contact.locale or contact.client.locale)


def _page(
    reader: Reader, runtime: Runtime, title: str, text: str | None, button: str | None, *, token: str
) -> Response:
    view = frame(reader, runtime.settings) | {
        "title": title,
        "text": reader.t(f"unsubscribe.{text}") if text else None,
        "button": reader.t(f"unsubscribe.{button}") if button else None,
        "undo": button == "undo",
        "action": f"/u/{token}{reader.query}",
        "back": None,
    }
    return HTMLResponse(render("message.html", **view))
