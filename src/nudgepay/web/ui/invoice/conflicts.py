"""Somebody was faster: what happened since the form was shown, by whom, and the way on."""

from datetime import UTC, datetime
from http import HTTPStatus

from sqlalchemy.orm import Session
from starlette.responses import Response

from nudgepay.errors import Conflict
from nudgepay.invoices.actions import InvoiceClosed, InvoiceNotClosed, VersionConflict
from nudgepay.invoices.queries import invoice_by_id
from nudgepay.nudges.answering import NothingOpen
from nudgepay.nudges.disputes import DisputeResolved
from nudgepay.nudges.manual import KeyTaken, NudgeGone
from nudgepay.nudges.promises import PromiseSettled
from nudgepay.nudges.reviews import NotWaiting
from nudgepay.payments.actions import CannotUndo, FactDiffers
from nudgepay.web.ui.csrf import FIELD
from nudgepay.web.ui.invoice.story import told_since
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.words import N_

OURS = frozenset({FIELD, "version", "seen", "shown"})
MOST_SHOWN = 20
REASONS: dict[type[Conflict], str] = {
    VersionConflict: N_("The invoice was changed after this page was loaded. Nothing of yours has been done yet."),
    InvoiceClosed: N_("The invoice is no longer open, so nothing was done."),
    NothingOpen: N_("The invoice is no longer open, so nothing was done."),
    InvoiceNotClosed: N_("Nobody voided the invoice or wrote it off, so there is nothing to take back."),
    DisputeResolved: N_("Somebody has settled this dispute already."),
    PromiseSettled: N_("This promise was kept, broken or cancelled already."),
    NotWaiting: N_("This letter does not wait for a reader any more."),
    KeyTaken: N_("This form was used for another invoice: open the preview again."),
    NudgeGone: N_("This nudge has left already, or was taken back."),
    FactDiffers: N_("This form was sent before with another amount, and that payment is booked. Look at it below."),
    CannotUndo: N_("This payment cannot be taken back here: it was undone already, or came by card."),
}


def conflict_page(page: Page, session: Session, invoice_id: int, fields: dict[str, str], error: Conflict) -> Response:
    """409: what was done meanwhile. A form that only lost the race can be sent again, as it was typed."""
    invoice = invoice_by_id(session, invoice_id)
    events = told_since(page, session, invoice, _since(page, fields))[:MOST_SHOWN]
    reason = next((text for kind, text in REASONS.items() if isinstance(error, kind)), None)
    is_file = page.request.headers.get("content-type", "").startswith("multipart/")
    again = isinstance(error, VersionConflict) and not is_file
    return page.show(
        "invoice/conflict.html",
        status=HTTPStatus.CONFLICT,
        invoice=invoice,
        reason=page.gettext(reason) if reason else str(error),
        events=events,
        again={name: value for name, value in fields.items() if name not in OURS} if again else None,
    )


def _since(page: Page, fields: dict[str, str]) -> datetime:
    """When the form was shown; an unreadable or missing instant shows all that is recent."""
    try:
        since = datetime.fromisoformat(fields.get("seen", ""))
    except ValueError:
        return page.now.replace(hour=0, minute=0)
    return since if since.tzinfo is not None else since.replace(tzinfo=UTC)
