"""A nudge by hand: the exact letter first, then once for each key, however often the button is pressed."""

import re
import secrets
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import NotFound, UsageError
from nudgepay.invoices.actions import InvoiceClosed
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import invoice_by_id
from nudgepay.nudges.mail_headers import LetterError
from nudgepay.nudges.manual import NudgePreview, cancel_nudge, preview_nudge, request_nudge
from nudgepay.nudges.models import Letter, Reminder
from nudgepay.nudges.sending import run_sending
from nudgepay.nudges.switch import ensure_switch
from nudgepay.nudges.terms import terms_of
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.invoice.acting import FieldsDep, answer, framed, locked_as_shown, tells_conflicts
from nudgepay.web.ui.invoice.outlook import local_words, outlook
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.reasons import meaning
from nudgepay.web.ui.words import N_

router = APIRouter()
NUDGES = "/invoices/{invoice_id:int}/nudges"
Sending = Annotated[Page, allowed(Permission.LETTER_SEND)]
KEY = re.compile(r"[A-Za-z0-9_-]{8,128}")
OUTCOMES = {
    "accepted": N_("Sent to %(to)s."),
    "delivered": N_("Sent to %(to)s."),
    "claimed": N_("It is just being sent to the client."),
    "sending": N_("It is just being sent to the client."),
    "failed": N_("The mail relay refused it for good; the letter below says why."),
    "unknown": N_("Nobody can say whether it left. Nothing more goes to this client until that is settled."),
    "cancelled": N_("This nudge was taken back before; nothing was sent."),
}  # fmt: skip
GOOD = frozenset({"accepted", "delivered", "claimed", "sending"})


@router.get(NUDGES + "/new", response_class=HTMLResponse)
def preview(page: Sending, session: ReadSessionDep, invoice_id: int) -> Response:
    """The letter that would go now, to whom, about what; or why it would wait, and what a person may overrule."""
    invoice = invoice_by_id(session, invoice_id)
    try:
        seen, gap_until = _look(page, session, invoice)
    except InvoiceClosed:
        return page.show("invoice/nudge.html", status=HTTPStatus.CONFLICT, invoice=invoice, seen=None)
    except LetterError as error:
        return page.show("invoice/nudge.html", invoice=invoice, seen=None, broken=str(error))
    numbers = _numbers(session, seen)
    return page.show(
        "invoice/nudge.html",
        invoice=invoice,
        seen=seen,
        numbers=numbers,
        gap_until=gap_until,
        silence=outlook(page, session, invoice, terms_of(page.runtime.settings)),
        clock=local_words(page.now, invoice.client.timezone, page),
        key=secrets.token_urlsafe(24),
    )


@router.get(NUDGES + "/new/html", response_class=HTMLResponse)
def preview_html(page: Sending, session: ReadSessionDep, invoice_id: int) -> Response:
    """The same letter as its reader would see it, for the sandboxed frame."""
    seen, _ = _look(page, session, invoice_by_id(session, invoice_id))
    return framed(seen.html)


def _look(page: Page, session: Session, invoice: Invoice) -> tuple[NudgePreview, datetime | None]:
    """What a nudge would do; where only the contact gap holds it, what it would do without, and the gap's end."""
    terms = terms_of(page.runtime.settings)
    seen = preview_nudge(session, invoice, override_gap=False, terms=terms, now=page.now)
    if seen.decision.reason != "contact_gap":
        return seen, None
    return preview_nudge(session, invoice, override_gap=True, terms=terms, now=page.now), seen.decision.until


def _numbers(session: Session, seen: NudgePreview) -> dict[int, Invoice]:
    return {one.invoice_id: session.get_one(Invoice, one.invoice_id) for one in seen.lines}


@router.post(NUDGES)
@tells_conflicts
def send(page: Sending, invoice_id: int, fields: FieldsDep) -> Response:
    """Order it and hand it over at once; the engine takes its last look as for every other letter."""
    key = fields.get("key") or page.request.headers.get("Idempotency-Key") or secrets.token_urlsafe(24)
    if not KEY.fullmatch(key):
        raise UsageError("key: 8 to 128 letters, digits, - and _; load the preview again")
    runtime, now = page.runtime, page.now
    settings, override_gap = runtime.settings, fields.get("override_gap") == "yes"
    with runtime.db.transaction() as session:
        ensure_switch(session, environment=settings.environment, actor=page.actor)
        invoice = locked_as_shown(session, invoice_id, fields)
        if invoice.status != "open":
            raise InvoiceClosed(f"invoice {invoice.number} is {invoice.status}: there is nothing to claim")
        nudge = request_nudge(session, invoice, key=key, override_gap=override_gap, now=now, actor=page.actor)
        reminder_id, client_id = nudge.id, invoice.client_id
    run_sending(runtime.db, transport=runtime.mail, terms=terms_of(settings), now=now, client_ids=[client_id])
    with runtime.db.transaction() as session:
        return _answer(page, session, invoice_id, session.get_one(Reminder, reminder_id))


def _answer(page: Page, session: Session, invoice_id: int, nudge: Reminder) -> Response:
    letter = session.get(Letter, nudge.letter_id) if nudge.letter_id is not None else None
    reason = nudge.reason or nudge.held_reason
    document: dict[str, Any] = {
        "id": nudge.id,
        "state": nudge.state,
        "reason": reason,
        "until": nudge.held_until and nudge.held_until.isoformat(),
        "letter_id": letter and str(letter.id),
    }
    return answer(page, invoice_id, document, told=_told(page, nudge, letter), bad=nudge.state not in GOOD)


def _told(page: Page, nudge: Reminder, letter: Letter | None) -> str:
    if nudge.state in OUTCOMES:
        return page.gettext(OUTCOMES[nudge.state]) % {"to": letter.to_address if letter else ""}
    reason = nudge.reason or nudge.held_reason
    because = page.gettext(meaning(reason)) if reason else page.gettext("another letter to this client is on its way")
    if nudge.state == "skipped":
        return page.gettext("Not sent: %(reason)s.") % {"reason": because}
    return page.gettext("Not sent yet: %(reason)s. It waits; you can take it back below.") % {"reason": because}


@router.post(NUDGES + "/{reminder_id:int}/cancel")
@tells_conflicts
def take_back(page: Sending, session: SessionDep, invoice_id: int, reminder_id: int, fields: FieldsDep) -> Response:
    """A nudge that waits does not go."""
    invoice = locked_as_shown(session, invoice_id, {})
    nudge = session.get(Reminder, reminder_id) if reminder_id < 2**63 else None
    if nudge is None or nudge.invoice_id != invoice.id:
        raise NotFound("this invoice has no such nudge")
    cancel_nudge(session, reminder_id, actor=page.actor)
    return answer(page, invoice_id, {"state": "cancelled"}, told=page.gettext("Taken back: it does not go."))
