"""`/s/{token}`: a client's statement of account as it stands, behind the link of a mailed one. Changes nothing."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from nudgepay.invoices.models import Client, Contact
from nudgepay.nudges.calendars import local_day
from nudgepay.nudges.mailings.rendering import Voice
from nudgepay.payments.account import account_of
from nudgepay.web.deps import NowDep, ReadSessionDep, RuntimeDep
from nudgepay.web.pay.finding import open_statement
from nudgepay.web.pay.reader import reader_for
from nudgepay.web.pay.view import frame
from nudgepay.web.rendering import render

router = APIRouter()


@router.api_route("/s/{token}", methods=["GET", "HEAD"], response_class=HTMLResponse)
def show(token: str, request: Request, session: ReadSessionDep, runtime: RuntimeDep, now: NowDep) -> Response:
    """Open invoices with their pay pages, recent payments, credit; currency by currency."""
    mailing = open_statement(request, session, token)
    client = session.get_one(Client, mailing.client_id)
    contact = session.get_one(Contact, mailing.contact_id)
    reader = reader_for(request, runtime.settings, contact.locale or client.locale)
    account = account_of(session, client.id, today=local_day(now, client.timezone), now=now)
    view = frame(reader, runtime.settings) | {
        "s": Voice(reader.locale),
        "account": account,
        "reader": reader,
    }
    return HTMLResponse(render("statement.html", **view))
