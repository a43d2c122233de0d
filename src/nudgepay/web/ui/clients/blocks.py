"""Addresses that are not written to: blocked by hand, and lifted only on purpose, by name, with a reason."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.invoices.validation import FieldError, clean_line
from nudgepay.nudges.suppressions import lift_suppression, suppress
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.clients.editing import client_by_id
from nudgepay.web.ui.clients.people import person_of
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.problems import Problems, problems_of
from nudgepay.web.ui.row_ids import RowId
from nudgepay.web.ui.words import N_

router = APIRouter()
WriterPage = Annotated[Page, allowed(Permission.CLIENT_WRITE)]
MAX_REASON = 500
REASONS = {
    "unsubscribed": N_("The reader wants no reminders"),
    "bounced": N_("The address does not exist"),
    "complained": N_("The reader called a letter spam"),
    "manual": N_("Blocked by hand"),
    "wrong_person": N_("Said not to be the right person"),
}


@router.get("/clients/{client_id}/contacts/{contact_id}/blocks", response_class=HTMLResponse)
def blocks(page: WriterPage, session: ReadSessionDep, client_id: RowId, contact_id: RowId) -> Response:
    """What blocks the address, who said so and when; and what lifting it means."""
    person = person_of(session, client_id, contact_id)
    client = client_by_id(session, client_id)
    return page.show(
        "clients/blocks.html",
        client=client,
        contact=person,
        reasons=REASONS,
        typed="",
        problems=problems_of(page, None),
    )


@router.post("/clients/{client_id}/contacts/{contact_id}/blocks/lift")
def lift(
    page: WriterPage,
    session: SessionDep,
    client_id: RowId,
    contact_id: RowId,
    reason: Annotated[str, Form(max_length=20)],
    because: Annotated[str, Form(max_length=5_000)] = "",
) -> Response:
    """Lift one block; without a reason nothing is lifted."""
    person = person_of(session, client_id, contact_id)
    try:
        told = clean_line(because, "because", longest=MAX_REASON)
    except FieldError as error:
        return page.show(
            "clients/blocks.html",
            status=422,
            client=client_by_id(session, client_id),
            contact=person,
            reasons=REASONS,
            typed=because,
            problems=Problems({f"because-{reason}": problems_of(page, error)["because"]}),
        )
    lift_suppression(session, address=person.email, reason=reason, now=page.now, actor=page.actor, because=told)
    return page.go(
        f"/clients/{client_id}#people", told=page.gettext("The block is lifted, as far as this reason goes.")
    )


@router.post("/clients/{client_id}/contacts/{contact_id}/blocks")
def block(page: WriterPage, session: SessionDep, client_id: RowId, contact_id: RowId) -> Response:
    """Write to this address no more, at any client."""
    person = person_of(session, client_id, contact_id)
    suppress(session, address=person.email, reason="manual", source="operator", now=page.now, actor=page.actor)
    there = f"/clients/{client_id}/contacts/{contact_id}/blocks"
    way_back = Undo(f"{there}/lift", {"reason": "manual", "because": page.gettext("taken back at once")})
    return page.go(
        f"/clients/{client_id}#people", told=page.gettext("This address is written to no more."), undo=way_back
    )
