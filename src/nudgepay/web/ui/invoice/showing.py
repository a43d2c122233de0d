"""GET `/invoices/{id}`: the whole page."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.invoices.actions import was_draft
from nudgepay.invoices.models import Invoice, InvoiceDocument
from nudgepay.invoices.queries import invoice_by_id
from nudgepay.nudges.calendars import local_day
from nudgepay.nudges.terms import terms_of
from nudgepay.nudges.timeline import UNPLANNABLE
from nudgepay.payments.actions import BY_HAND
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.invoice.events import REVIEWS
from nudgepay.web.ui.invoice.outlook import outlook
from nudgepay.web.ui.invoice.story import Rows, tell_story
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
Reading = Annotated[Page, allowed(Permission.INVOICE_READ)]


@router.get("/invoices/{invoice_id:int}", response_class=HTMLResponse)
def show(
    page: Reading,
    session: ReadSessionDep,
    invoice_id: int,
    before: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """What is owed, what happens next, everything that happened, and what can be done."""
    invoice = invoice_by_id(session, invoice_id)
    story = tell_story(page, session, invoice, before=_instant(before))
    settings = page.runtime.settings
    return page.show(
        "invoice/page.html",
        invoice=invoice,
        client=invoice.client,
        today=local_today(page, invoice),
        outlook=outlook(page, session, invoice, terms_of(settings)),
        story=story,
        is_first=not before,
        standing=_standing(page, story.rows),
        pay_link=f"{settings.base_url.rstrip('/')}/p/{invoice.token}",
        document=_document(session, invoice),
        by_hand=BY_HAND,
        was_draft=was_draft(invoice),
        review_words=REVIEWS,
    )


def local_today(page: Page, invoice: Invoice) -> Any:
    """Today at the client, by whose calendar an invoice is late."""
    try:
        return local_day(page.now, invoice.client.timezone)
    except UNPLANNABLE:
        return page.now.date()


def _standing(page: Page, rows: Rows) -> dict[str, Any]:
    """What is open between the payer and us, each with the forms that settle it."""
    claims = [one for one in rows["payment_claims"] if one["settled_at"] is None and one["until"] > page.now]
    waiting = [one for one in rows["reminders"] if one["state"] == "planned"]
    return {
        "promise": next((one for one in rows["promises"] if one["state"] == "pending"), None),
        "disputes": [one for one in rows["disputes"] if one["resolved_at"] is None],
        "claim": claims[-1] if claims else None,
        "reviews": [one for one in rows["reviews"] if one["resolved_at"] is None],
        "readings": [one for one in waiting if one["held_reason"] == "review" and one["reviewed_at"] is None],
        "nudges": [one for one in waiting if one["nudge_key"]],
        "doubtful": [one for one in rows["letters"] if one["state"] == "unknown"],
    }


def _document(session: Session, invoice: Invoice) -> Any:
    """Name, token and size of its PDF, without the PDF."""
    query = select(InvoiceDocument.name, InvoiceDocument.token, InvoiceDocument.created_at)
    return session.execute(query.where(InvoiceDocument.invoice_id == invoice.id)).one_or_none()


def _instant(text: str) -> datetime | None:
    """Where an earlier part of the story begins; what is no instant begins at the newest."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
