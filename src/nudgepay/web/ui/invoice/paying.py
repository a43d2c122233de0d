"""Money by hand: booked once for each form, more than is owed only after a warning, taken back after a look."""

import re
import secrets
from datetime import UTC, datetime, time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound, UsageError
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import invoice_by_id
from nudgepay.nudges.history import gather
from nudgepay.payments.actions import resolve_review, undo_payment
from nudgepay.payments.bank import record_by_hand
from nudgepay.payments.models import MoneyFact, Review
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.invoice.acting import Fields, FieldsDep, answer, locked_as_shown, tells_conflicts
from nudgepay.web.ui.invoice.amounts import BadField, shown_amount, typed_amount, typed_day
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.rendering import money

router = APIRouter()
PAYMENTS = "/invoices/{invoice_id:int}/payments"
Paying = Annotated[Page, allowed(Permission.PAYMENT_WRITE)]
KEY = re.compile(r"[A-Za-z0-9_-]{8,128}")
LONGEST_NOTE = 500


@router.get(PAYMENTS + "/new", response_class=HTMLResponse)
def ask(page: Paying, session: ReadSessionDep, invoice_id: int) -> Response:
    """How much, and when did it come?"""
    invoice = invoice_by_id(session, invoice_id)
    rest = max(0, invoice.amount_remaining)
    typed = {
        "amount": shown_amount(rest, invoice.currency, page) if rest else "",
        "on": page.now.astimezone(page.zone).date().isoformat(),
        "key": secrets.token_urlsafe(24),
    }
    return page.show("invoice/payment.html", invoice=invoice, typed=typed, problems={}, over=None)


@router.post(PAYMENTS)
@tells_conflicts
def record(page: Paying, session: SessionDep, invoice_id: int, fields: FieldsDep) -> Response:
    """Book it; what is more than is owed becomes the client's credit, once the person has seen that."""
    key = fields.get("key") or page.request.headers.get("Idempotency-Key") or secrets.token_urlsafe(24)
    if not KEY.fullmatch(key):
        raise UsageError("key: 8 to 128 letters, digits, - and _; load the form again")
    reference = f"hand:{key}"
    invoice = locked_as_shown(session, invoice_id, {})
    booked_before = _booked(session, reference)
    if not booked_before:
        locked_as_shown(session, invoice_id, fields)
    problems: dict[str, str] = {}
    amount, occurred_at = _amount(page, invoice, fields, problems), _occurred_at(page, fields, problems)
    note = fields.get("note", "").strip()
    if len(note) > LONGEST_NOTE:
        problems["note"] = page.gettext("Write at most %(most)s characters.") % {"most": LONGEST_NOTE}
    over = amount - max(0, invoice.amount_remaining)
    if problems or (over > 0 and not booked_before and fields.get("over") != str(amount)):
        return _again(page, session, invoice_id, {**fields, "key": key}, problems, (over, amount))
    booked = record_by_hand(
        session,
        [invoice],
        amount,
        reference=reference,
        occurred_at=occurred_at,
        note=note or None,
        now=page.now,
        actor=page.actor,
    )
    session.flush()
    told = page.gettext("%(amount)s booked; %(rest)s left to pay.") % {
        "amount": money(amount, invoice.currency, page),
        "rest": money(max(0, invoice.amount_remaining), invoice.currency, page),
    }
    undo = Undo(f"/invoices/{invoice.id}/payments/{booked.fact_id}/undo", {})
    return answer(page, invoice_id, {"payment_id": booked.fact_id}, told=told, undo=undo)


def _booked(session: Session, reference: str) -> bool:
    return session.query(MoneyFact.id).filter_by(provider="bank", provider_id=reference).first() is not None


def _amount(page: Page, invoice: Invoice, fields: Fields, problems: dict[str, str]) -> int:
    try:
        return typed_amount(fields.get("amount", ""), invoice.currency, page)
    except BadField as problem:
        problems["amount"] = str(problem)
        return 0


def _occurred_at(page: Page, fields: Fields, problems: dict[str, str]) -> datetime:
    """Now when it came today, else noon of its day."""
    today = page.now.astimezone(page.zone).date()
    try:
        came_on = typed_day(fields.get("on") or today.isoformat(), page)
    except BadField as problem:
        problems["on"] = str(problem)
        return page.now
    if came_on > today:
        problems["on"] = page.gettext("Record money when it has come: choose today or an earlier day.")
    return page.now if came_on >= today else datetime.combine(came_on, time(12), UTC)


def _again(
    page: Page, session: Session, invoice_id: int, typed: Fields, problems: dict[str, str], over: tuple[int, int]
) -> Response:
    session.rollback()
    invoice = invoice_by_id(session, invoice_id)
    warned = over if not problems else None
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return page.show(
        "invoice/payment.html", status=status, invoice=invoice, typed=typed, problems=problems, over=warned
    )


@router.get(PAYMENTS + "/{fact_id:int}/undo", response_class=HTMLResponse)
def ask_undo(page: Paying, session: ReadSessionDep, invoice_id: int, fact_id: int) -> Response:
    """What taking it back would do."""
    invoice = invoice_by_id(session, invoice_id)
    row = _fact_of(session, invoice, fact_id)
    return page.show("invoice/undo.html", invoice=invoice, fact=row)


@router.post(PAYMENTS + "/{fact_id:int}/undo")
@tells_conflicts
def undo(page: Paying, session: SessionDep, invoice_id: int, fact_id: int, fields: FieldsDep) -> Response:
    """It counts no more; its row stays, struck out."""
    invoice = locked_as_shown(session, invoice_id, fields)
    _fact_of(session, invoice, fact_id)
    undo_payment(session, fact_id, now=page.now, actor=page.actor)
    told = page.gettext("Taken back: the payment counts no more.")
    return answer(page, invoice_id, {"payment_id": fact_id, "undone": True}, told=told)


def _fact_of(session: Session, invoice: Invoice, fact_id: int) -> dict[str, object]:
    """A fact that has to do with this invoice; raises NotFound for any other."""
    rows = gather(session, "money_facts", invoice.id, invoice.client_id)
    found = next((row for row in rows if row["id"] == fact_id), None)
    if found is None:
        raise NotFound("this invoice has no such payment")
    return found


@router.post("/invoices/{invoice_id:int}/reviews/{review_id:int}")
@tells_conflicts
def settle_doubt(page: Paying, session: SessionDep, invoice_id: int, review_id: int, fields: FieldsDep) -> Response:
    """A person has looked: the invoice is what its facts say again, and its letters may go on."""
    invoice = locked_as_shown(session, invoice_id, fields)
    review = session.get(Review, review_id) if review_id < 2**63 else None
    if review is None or review.invoice_id != invoice.id:
        raise NotFound("this invoice has no such doubt")
    found = fields.get("resolution", "").strip()[:LONGEST_NOTE]
    if not found:
        return page.go(
            f"/invoices/{invoice.id}", told=page.gettext("Write down what you found, then settle it."), bad=True
        )
    resolve_review(session, review_id, resolution=found, now=page.now, actor=page.actor)
    return answer(page, invoice_id, {"settled": True}, told=page.gettext("Settled. Its letters may go on."))
