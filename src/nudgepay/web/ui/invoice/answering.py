"""What a payer says on the phone, written down: a promise, a dispute, and how they end."""

from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import APIRouter
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound, UsageError
from nudgepay.invoices.actions import VersionConflict
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import invoice_by_id
from nudgepay.nudges.answers import Dispute, Promise
from nudgepay.nudges.differences import with_dispute
from nudgepay.nudges.disputes import MAX_MESSAGE, RESOLUTIONS, contested_with, open_dispute, resolve_dispute
from nudgepay.nudges.promises import GRACE_DAYS, PromiseOutOfRange, cancel_promise, make_promise
from nudgepay.payments.bank import record_by_hand
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.differences import NOT_SHOWN, hold_difference
from nudgepay.web.ui.invoice.acting import Fields, FieldsDep, answer, locked_as_shown, tells_conflicts, was_not_shown
from nudgepay.web.ui.invoice.amounts import BadField, typed_amount, typed_day
from nudgepay.web.ui.invoice.showing import local_today
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.rendering import day

router = APIRouter()
PROMISES = "/invoices/{invoice_id:int}/promises"
DISPUTES = "/invoices/{invoice_id:int}/disputes"
Writing = Annotated[Page, allowed(Permission.INVOICE_WRITE)]
Settling = Annotated[Page, allowed(Permission.PAYMENT_WRITE)]
Answer = TypeVar("Answer", Promise, Dispute)
SOURCE = "operator"
FURTHEST_DAYS = 90
"""A person may agree on a later day than a payer may choose alone."""


@router.get(PROMISES + "/new", response_class=HTMLResponse)
def ask_promise(page: Writing, session: ReadSessionDep, invoice_id: int) -> Response:
    """By when, and how much of it?"""
    return _promise_form(page, session, invoice_by_id(session, invoice_id), {}, {})


@router.post(PROMISES)
@tells_conflicts
def promise(page: Writing, session: SessionDep, invoice_id: int, fields: FieldsDep) -> Response:
    """Silence until that day and its grace; a promise that stands is replaced."""
    invoice = locked_as_shown(session, invoice_id, fields)
    _ensure_seen(fields, _pending(session, invoice.id))
    problems: dict[str, str] = {}
    amount = _part(page, invoice, fields, problems)
    try:
        promised_on = typed_day(fields.get("day", ""), page)
        if not problems:
            made = make_promise(
                session,
                invoice_id=invoice.id,
                promised_on=promised_on,
                amount=amount,
                max_days_ahead=FURTHEST_DAYS,
                source=SOURCE,
                now=page.now,
                actor=page.actor,
            )
            told = page.gettext("Noted: silence until %(day)s and %(grace)s working days after it.") % {
                "day": day(promised_on, page).striptags(),
                "grace": GRACE_DAYS,
            }
            undo = Undo(f"/invoices/{invoice.id}/promises/{made.id}/cancel", {})
            return answer(page, invoice_id, {"promise_id": made.id}, told=told, undo=undo)
    except BadField as problem:
        problems["day"] = str(problem)
    except PromiseOutOfRange:
        text = page.gettext("Choose a day from today up to %(days)s days ahead.")
        problems["day"] = text % {"days": FURTHEST_DAYS}
    session.rollback()
    return _promise_form(page, session, invoice_by_id(session, invoice_id), fields, problems)


@router.post(PROMISES + "/{promise_id:int}/cancel")
@tells_conflicts
def end_promise(page: Writing, session: SessionDep, invoice_id: int, promise_id: int, fields: FieldsDep) -> Response:
    """It was not meant so: the chase goes on."""
    invoice = locked_as_shown(session, invoice_id, fields)
    _of(session, Promise, promise_id, invoice)
    cancel_promise(session, promise_id, now=page.now, actor=page.actor)
    return answer(page, invoice_id, {"state": "cancelled"}, told=page.gettext("The promise is cancelled."))


@router.get(DISPUTES + "/new", response_class=HTMLResponse)
def ask_dispute(page: Writing, session: ReadSessionDep, invoice_id: int) -> Response:
    """How much of it is contested, and why? And what would that change?"""
    return _dispute_form(page, session, invoice_by_id(session, invoice_id), {})


@router.post(DISPUTES + "/preview", response_class=HTMLResponse)
def preview_dispute(page: Writing, session: ReadSessionDep, invoice_id: int, fields: FieldsDep) -> Response:
    """What contesting the amount of the form would change."""
    return _dispute_form(page, session, invoice_by_id(session, invoice_id), fields)


@router.post(DISPUTES)
@tells_conflicts
def dispute(page: Writing, session: SessionDep, invoice_id: int, fields: FieldsDep) -> Response:
    """Only the uncontested rest is asked for until somebody settles it."""
    invoice = locked_as_shown(session, invoice_id, fields)
    _ensure_seen(fields, _contested(session, invoice.id))
    problems: dict[str, str] = {}
    amount, message = _objection(page, invoice, fields, problems)
    if problems:
        return _dispute_form(page, session, invoice, fields, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if was_not_shown(fields, "amount"):
        return _dispute_form(page, session, invoice, fields, is_unseen=True)
    opened = open_dispute(
        session,
        invoice_id=invoice.id,
        amount=amount,
        message=message,
        source=SOURCE,
        now=page.now,
        actor=page.actor,
    )
    told = page.gettext("Noted: what is disputed is not asked for until you settle it.")
    undo = Undo(f"/invoices/{invoice.id}/disputes/{opened.id}/resolve", {"resolution": "withdrawn"})
    return answer(page, invoice_id, {"dispute_id": opened.id}, told=told, undo=undo)


@router.post(DISPUTES + "/{dispute_id:int}/resolve")
@tells_conflicts
def settle(page: Settling, session: SessionDep, invoice_id: int, dispute_id: int, fields: FieldsDep) -> Response:
    """The payer is right (and gets a credit, if wanted), is not, or took it back."""
    invoice = locked_as_shown(session, invoice_id, fields)
    found = _of(session, Dispute, dispute_id, invoice)
    resolution = fields.get("resolution", "")
    if resolution not in RESOLUTIONS:
        raise UsageError("resolution: choose accepted, rejected or withdrawn")
    contested = min(found.amount or invoice.amount_remaining, invoice.amount_remaining)
    resolve_dispute(session, dispute_id, resolution=resolution, now=page.now, actor=page.actor)
    if resolution == "accepted" and fields.get("credit") == "yes" and contested > 0:
        record_by_hand(
            session,
            [invoice],
            contested,
            kind="credit",
            reference=f"dispute:{dispute_id}",
            occurred_at=page.now,
            now=page.now,
            actor=page.actor,
        )
    return answer(page, invoice_id, {"resolution": resolution}, told=page.gettext("The dispute is settled."))


def _of(session: Session, kind: type[Answer], answer_id: int, invoice: Invoice) -> Answer:
    found = session.get(kind, answer_id) if answer_id < 2**63 else None
    if found is None or found.invoice_id != invoice.id:
        raise NotFound("this invoice has no such answer")
    return found


def _part(page: Page, invoice: Invoice, fields: Fields, problems: dict[str, str]) -> int | None:
    """The amount of the form, None for all that is owed."""
    if not fields.get("amount", "").strip():
        return None
    try:
        amount = typed_amount(fields["amount"], invoice.currency, page)
    except BadField as problem:
        problems["amount"] = str(problem)
        return None
    if amount > invoice.amount_remaining:
        problems["amount"] = page.gettext("This is more than is owed; leave it empty for all of it.")
    return amount


def _objection(
    page: Page, invoice: Invoice, fields: Fields, problems: dict[str, str]
) -> tuple[int | None, str | None]:
    """The contested amount, None for all, and what is wrong with it, in the payer's words."""
    message = fields.get("message", "").strip()
    if len(message) > MAX_MESSAGE:
        problems["message"] = page.gettext("Write at most %(most)s characters.") % {"most": MAX_MESSAGE}
    return _part(page, invoice, fields, problems), message or None


def _pending(session: Session, invoice_id: int) -> Promise | None:
    return session.scalar(select(Promise).where(Promise.invoice_id == invoice_id, Promise.state == "pending"))


def _contested(session: Session, invoice_id: int) -> Dispute | None:
    """The newest dispute that is open."""
    query = select(func.max(Dispute.id)).where(Dispute.invoice_id == invoice_id, Dispute.resolved_at.is_(None))
    newest = session.scalar(query)
    return session.get(Dispute, newest) if newest is not None else None


def _ensure_seen(fields: Fields, standing: Promise | Dispute | None) -> None:
    """The form showed what stands now: promises and disputes do not change the invoice's own version."""
    if "was" in fields and fields["was"] != str(standing.id if standing else 0):
        raise VersionConflict("somebody noted another answer meanwhile; look at it again")


def _promise_form(
    page: Page, session: Session, invoice: Invoice, typed: Fields, problems: dict[str, str]
) -> Response:
    today = local_today(page, invoice)
    return page.show(
        "invoice/promise.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        invoice=invoice,
        typed=typed,
        problems=problems,
        standing=_pending(session, invoice.id),
        suggested=[today + timedelta(days=days) for days in (3, 7, 14)],
    )


def _dispute_form(
    page: Page,
    session: Session,
    invoice: Invoice,
    typed: Fields,
    *,
    status: int = HTTPStatus.OK,
    is_unseen: bool = False,
) -> Response:
    """The form with what contesting the amount that was typed would change."""
    problems: dict[str, str] = {}
    amount, _ = _objection(page, invoice, typed, problems)
    contested = contested_with(session, invoice, amount=amount, source=SOURCE)
    disputed = partial(with_dispute, contested=contested, invoice_id=invoice.id)
    return page.show(
        "invoice/dispute.html",
        status=status,
        invoice=invoice,
        typed=typed,
        problems=problems,
        standing=_contested(session, invoice.id),
        shown=NOT_SHOWN if "amount" in problems else typed.get("amount", "").strip(),
        difference=hold_difference(session, page, invoice.client_id, disputed),
        claimable=invoice.amount_remaining - contested,
        is_unseen=is_unseen,
    )
