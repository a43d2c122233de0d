"""`/p/{token}/receipt`: what was received for the invoices of a page, to print or to keep. Changes nothing."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from nudgepay.nudges.calendars import local_day
from nudgepay.payments.receipts import received_for
from nudgepay.web.deps import NowDep, ReadSessionDep, RuntimeDep
from nudgepay.web.pay.finding import open_page
from nudgepay.web.pay.reader import reader_for
from nudgepay.web.pay.view import frame
from nudgepay.web.rendering import render

router = APIRouter()


@router.api_route("/p/{token}/receipt", methods=["GET", "HEAD"], response_class=HTMLResponse)
def show(token: str, request: Request, session: ReadSessionDep, runtime: RuntimeDep, now: NowDep) -> Response:
    """Each payment with its day, its means and its invoice; the sum, and what is still open."""
    page = open_page(request, session, token, now=now)
    reader = reader_for(request, runtime.settings, page.locale)
    received = received_for(session, [line.invoice_id for line in page.lines])
    view = frame(reader, runtime.settings) | {
        "lines": [
            {
                "day": reader.day(local_day(one.at, page.timezone)),
                "invoice": one.invoice,
                "means": reader.t(f"receipt.{one.means}"),
                "amount": reader.money(one.amount, page.currency),
            }
            for one in received
        ],
        "total": reader.money(sum(one.amount for one in received), page.currency),
        "left": reader.money(sum(line.remaining for line in page.lines), page.currency),
        "on": reader.day(local_day(now, page.timezone)),
        "back": f"/p/{page.token}{reader.query}",
    }
    return HTMLResponse(render("receipt.html", **view))
