"""A person's word on a letter: it left, send it again, try it once more."""

import uuid
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.nudges.letters import letter_record
from nudgepay.nudges.reconcile import run_reconcile
from nudgepay.nudges.terms import terms_of
from nudgepay.nudges.unknowns import mark_accepted, order_resend, retry_failed
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.words import N_

router = APIRouter()
ResolvePage = Annotated[Page, allowed(Permission.LETTER_RESOLVE)]
SHORTEST_REASON, LONGEST_REASON = 3, 500
NO_REASON = N_("Say why: how do you know?")


@router.get("/letters/{letter_id}/resolve", response_class=HTMLResponse)
def choose(letter_id: uuid.UUID, page: ResolvePage, session: ReadSessionDep, what: str = "") -> Response:
    """What each decision would do, before it is made."""
    return _form(page, session, letter_id, what=what)


@router.post("/letters/{letter_id}/resolve")
def decide(
    letter_id: uuid.UUID,
    page: ResolvePage,
    session: SessionDep,
    what: Annotated[str, Form(max_length=20)] = "",
    reason: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Make it. Raises NotInDoubt when the letter has been settled meanwhile."""
    given = " ".join(reason.split())[:LONGEST_REASON]
    if what not in {"sent", "resend"} or len(given) < SHORTEST_REASON:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return _form(page, session, letter_id, what=what, reason=reason, problem=NO_REASON, status=status)
    if what == "sent":
        mark_accepted(
            session, letter_id, accepted_at=page.now, now=page.now, actor=page.actor, source="a person", reason=given
        )
        return page.go(f"/letters/{letter_id}", told=page.gettext("It counts as accepted."))
    order_resend(session, letter_id, now=page.now, actor=page.actor, reason=given)
    told = page.gettext("It goes once more, as a new letter, unless it was paid meanwhile.")
    return page.go(f"/letters/{letter_id}", told=told)


@router.post("/letters/{letter_id}/retry")
def retry(letter_id: uuid.UUID, page: ResolvePage, session: SessionDep) -> Response:
    """Try a failed letter once more, under the same Message-ID: it was certainly never taken."""
    retry_failed(session, letter_id, now=page.now, actor=page.actor)
    return page.go(f"/letters/{letter_id}", told=page.gettext("It is tried once more with the next pass."))


@router.post("/letters/{letter_id}/look")
def look_again(letter_id: uuid.UUID, page: ResolvePage) -> Response:
    """Ask the relay's record about every letter in doubt, now."""
    runtime = page.runtime
    terms = terms_of(runtime.settings)
    found = run_reconcile(runtime.db, receipts=runtime.receipts, now=page.now, grace_seconds=terms.lease_seconds)
    if found.accepted + found.planned_again:
        told = page.ngettext(
            "%(count)d letter is settled.", "%(count)d letters are settled.", found.accepted + found.planned_again
        ) % {"count": found.accepted + found.planned_again}
    else:
        told = page.gettext("The relay's record tells nothing about it.")
    return page.go(f"/letters/{letter_id}", told=told)


def _form(
    page: Page,
    session: Session,
    letter_id: uuid.UUID,
    *,
    what: str,
    reason: str = "",
    problem: str = "",
    status: int = 200,
) -> Response:
    record = letter_record(session, letter_id)
    return page.show("letters/resolve.html", **record, what=what, reason=reason, problem=problem, status=status)
