"""`/p/{token}`: the page itself, and the click that opens a card payment."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from nudgepay.errors import OperationalError
from nudgepay.money import AmountError
from nudgepay.payments.checkouts import last_checkout
from nudgepay.runtime import Runtime
from nudgepay.web.deps import NowDep, ReadSessionDep, RuntimeDep
from nudgepay.web.pay.finding import open_page
from nudgepay.web.pay.page import PayerPage
from nudgepay.web.pay.paying import NothingToPay, checkout_url, has_card
from nudgepay.web.pay.reader import Reader, reader_for
from nudgepay.web.pay.view import page_view
from nudgepay.web.rendering import render

router = APIRouter()


@router.api_route("/p/{token}", methods=["GET", "HEAD"], response_class=HTMLResponse)
def show(token: str, request: Request, session: ReadSessionDep, runtime: RuntimeDep, now: NowDep) -> Response:
    """The link's invoices at their present state. Changes nothing."""
    page = open_page(request, session, token, now=now)
    reader = reader_for(request, runtime.settings, page.locale)
    if "paid" not in request.query_params:
        return shown(page, reader, runtime, now=now)
    last = last_checkout(session, page.key)
    received = last.amount if last is not None and last.succeeded_at is not None else 0
    waits = last is None or not last.is_decided
    return shown(page, reader, runtime, now=now, waits=waits, received=received)


@router.post("/p/{token}/pay")
def pay(
    token: str, request: Request, runtime: RuntimeDep, now: NowDep, amount: Annotated[str, Form()] = ""
) -> Response:
    """Open a card payment over all or a part of what the page asks for now; 303 to its form."""
    with runtime.db.transaction() as session:
        page = open_page(request, session, token, now=now)
    reader = reader_for(request, runtime.settings, page.locale)
    problem: dict[str, Any] = {"opened": "part", "typed": {"amount": amount[:40]}}
    try:
        url = checkout_url(runtime, page, reader, amount, now=now)
    except NothingToPay:
        return RedirectResponse(f"/p/{token}{reader.query}", HTTPStatus.SEE_OTHER)
    except AmountError:
        example = reader.money(page.payable, page.currency)
        problem["problem"] = reader.t("problem.amount", total=example)
        return shown(page, reader, runtime, now=now, status=HTTPStatus.UNPROCESSABLE_ENTITY, **problem)
    except OperationalError:
        problem = {"problem": reader.t("problem.card")}
        return shown(page, reader, runtime, now=now, status=HTTPStatus.SERVICE_UNAVAILABLE, **problem)
    return RedirectResponse(url, HTTPStatus.SEE_OTHER)


def shown(
    page: PayerPage,
    reader: Reader,
    runtime: Runtime,
    *,
    now: datetime,
    status: int = 200,
    waits: bool = False,
    received: int = 0,
    **changes: object,
) -> Response:
    """The page as an answer; `changes` are a problem to tell and what was typed."""
    view = page_view(
        page, reader, runtime.settings, now=now, has_card=has_card(runtime), waits=waits, received=received
    )
    return HTMLResponse(render("page.html", **(view | changes)), status_code=status)
