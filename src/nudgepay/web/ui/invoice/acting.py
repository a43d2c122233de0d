"""What every form of an invoice's page shares: its fields, the lock, the version it showed, a readable conflict."""

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, JSONResponse, Response

from nudgepay.errors import Conflict, NotFound, UsageError
from nudgepay.invoices.actions import ensure_version
from nudgepay.invoices.models import Invoice
from nudgepay.invoices.queries import invoice_by_id
from nudgepay.nudges.answering import lock_invoice
from nudgepay.web.mail_parts import FRAME_POLICY
from nudgepay.web.ui.invoice.conflicts import conflict_page
from nudgepay.web.ui.page import Page

Fields = dict[str, str]


async def _fields(request: Request) -> Fields:
    form = await request.form()
    found = {name: value for name, value in form.items() if isinstance(value, str)}
    if any("\0" in name or "\0" in value for name, value in found.items()):
        raise UsageError("a field holds a NUL character, which no text may hold; remove it")
    return found


FieldsDep = Annotated[Fields, Depends(_fields)]
"""The form's fields as they were typed; files are not among them."""


def locked_as_shown(session: Session, invoice_id: int, fields: Fields) -> Invoice:
    """The invoice under its client's lock and its own, at the version that the form showed.

    A request without a `version` did not look first and is taken as it is. Raises NotFound, VersionConflict.
    """
    _, invoice = lock_invoice(session, invoice_by_id(session, invoice_id).id)
    if "version" in fields:
        version = fields["version"]
        if not (version.isascii() and version.isdigit() and len(version) < 19):
            raise UsageError("version: is no number; load the page again")
        ensure_version(invoice, int(version))
    return invoice


def is_delete(fields: Fields) -> bool:
    """True for a form that stands for DELETE."""
    return fields.get("_method", "").lower() == "delete"


def was_not_shown(fields: Fields, name: str) -> bool:
    """True when the form showed the effect of something else than its field `name` says now."""
    return fields.get("shown", fields.get(name, "").strip()) != fields.get(name, "").strip()


def framed(html: str | None) -> Response:
    """A letter that is not written yet, for the sandboxed frame; raises NotFound where something holds it."""
    if html is None:
        raise NotFound("no letter would be written now")
    return HTMLResponse(html, headers={"Content-Security-Policy": FRAME_POLICY})


def wants_json(request: Request) -> bool:
    """True for a script that asks for JSON."""
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def answer(page: Page, invoice_id: int, document: dict[str, Any], **told: Any) -> Response:
    """Back to the invoice's page, which tells what was done; the document itself for a script."""
    return JSONResponse(document) if wants_json(page.request) else page.go(f"/invoices/{invoice_id}", **told)


def tells_conflicts(endpoint: Callable[..., Response]) -> Callable[..., Response]:
    """An endpoint of `page`, `invoice_id`, `fields` (and `session`) that shows a Conflict as a page to go on from."""

    @wraps(endpoint)
    def guarded(**given: Any) -> Response:
        try:
            return endpoint(**given)
        except Conflict as error:
            page: Page = given["page"]
            if wants_json(page.request):
                raise
            if "session" in given:
                given["session"].rollback()
            with page.runtime.db.transaction() as session:
                return conflict_page(page, session, given["invoice_id"], given["fields"], error)

    return guarded
