"""What a payer tells us without signing in: paid, later, wrong, not me. POST only; each with a bounded clock."""

from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from nudgepay.errors import Conflict, NotFound, UsageError
from nudgepay.money import AmountError
from nudgepay.nudges.claims import claim_paid
from nudgepay.nudges.disputes import open_dispute
from nudgepay.nudges.promises import PromiseOutOfRange, make_promise
from nudgepay.nudges.recipients import mark_wrong_person
from nudgepay.runtime import Runtime
from nudgepay.web.deps import NowDep, RuntimeDep, SessionDep
from nudgepay.web.pay.finding import open_page
from nudgepay.web.pay.page import PayerPage
from nudgepay.web.pay.reader import Reader, reader_for
from nudgepay.web.pay.showing import shown
from nudgepay.web.pay.view import frame
from nudgepay.web.rendering import render

router = APIRouter()
PAYER = "payer"
SOURCE = "page"


@router.post("/p/{token}/paid", response_class=HTMLResponse)
def paid(token: str, request: Request, session: SessionDep, runtime: RuntimeDep, now: NowDep) -> Response:
    """ "I have paid": a bounded silence for every open invoice of the page, and a person looks."""
    page, reader = _opened(token, request, session, runtime, now)
    for line in page.open_lines:
        claim_paid(session, invoice_id=line.invoice_id, now=now, actor=PAYER, source=SOURCE)
    return _done(page, reader, runtime, "paid")


@router.post("/p/{token}/promise", response_class=HTMLResponse)
def promise(
    token: str,
    request: Request,
    session: SessionDep,
    runtime: RuntimeDep,
    now: NowDep,
    day: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """ "I will pay on ...": silence until that day and its grace."""
    page, reader = _opened(token, request, session, runtime, now)
    wrong: dict[str, Any] = {"opened": "promise", "typed": {"day": ""}}
    try:
        promised_on = date.fromisoformat(day)
        for line in page.open_lines:
            make_promise(
                session, invoice_id=line.invoice_id, promised_on=promised_on, now=now, actor=PAYER, source=SOURCE
            )
    except (ValueError, PromiseOutOfRange):
        return _again(session, page, reader, runtime, now, problem=reader.t("problem.day"), **wrong)
    except Conflict:
        return _again(session, page, reader, runtime, now, problem=reader.t("problem.again"), **wrong)
    return _done(page, reader, runtime, "promise", day=reader.day(promised_on))


@router.post("/p/{token}/dispute", response_class=HTMLResponse)
def dispute(
    token: str,
    request: Request,
    session: SessionDep,
    runtime: RuntimeDep,
    now: NowDep,
    message: Annotated[str, Form(max_length=2000)] = "",
    amount: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """ "Something is wrong": all or a part is contested; only the rest is claimed."""
    page, reader = _opened(token, request, session, runtime, now)
    try:
        part = reader.amount(amount, page.currency) if amount.strip() else None
        for line in page.open_lines:
            open_dispute(
                session,
                invoice_id=line.invoice_id,
                amount=part if len(page.open_lines) == 1 else None,
                message=message.strip()[:2000] or None,
                now=now,
                actor=PAYER,
                source=SOURCE,
            )
    except (AmountError, UsageError):
        total = reader.money(page.payable, page.currency)
        typed = {"message": message, "contested": amount}
        problem = reader.t("problem.amount", total=total)
        return _again(session, page, reader, runtime, now, problem=problem, opened="dispute", typed=typed)
    return _done(page, reader, runtime, "dispute", business=runtime.settings.business_name)


@router.post("/p/{token}/wrong-person", response_class=HTMLResponse)
def wrong_person(token: str, request: Request, session: SessionDep, runtime: RuntimeDep, now: NowDep) -> Response:
    """ "I am the wrong person": no more letters to this contact, and a person looks for the right one."""
    page, reader = _opened(token, request, session, runtime, now)
    if page.contact_id is not None:
        mark_wrong_person(session, contact_id=page.contact_id, now=now, actor=PAYER, source=SOURCE)
    return _done(page, reader, runtime, "wrong")


def _opened(
    token: str, request: Request, session: Session, runtime: Runtime, now: datetime
) -> tuple[PayerPage, Reader]:
    page = open_page(request, session, token, now=now)
    if not page.open_lines and not request.url.path.endswith("/wrong-person"):
        raise NotFound("nothing is open on this page")
    return page, reader_for(request, runtime.settings, page.locale)


def _again(
    session: Session, page: PayerPage, reader: Reader, runtime: Runtime, now: datetime, **changes: Any
) -> Response:
    session.rollback()
    return shown(page, reader, runtime, now=now, status=HTTPStatus.UNPROCESSABLE_ENTITY, **changes)


def _done(page: PayerPage, reader: Reader, runtime: Runtime, what: str, **values: object) -> Response:
    view = frame(reader, runtime.settings) | {
        "title": reader.t(f"done.{what}_title", **values),
        "text": reader.t(f"done.{what}_text", **values),
        "button": None,
        "undo": False,
        "action": "",
        "back": f"/p/{page.token}{reader.query}",
    }
    return HTMLResponse(render("message.html", **view))
