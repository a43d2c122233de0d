"""`/invoices/{id}/edit`: what an invoice says, and what a change would do to its letters, before it is saved.

Whoever edits carries the version they saw. When somebody was faster, nothing is lost: what was typed is laid over
what stands there now, and both are shown.
"""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.errors import NotFound
from nudgepay.invoices.actions import InvoiceClosed, VersionConflict
from nudgepay.invoices.editing import EDITABLE, InvoiceFields
from nudgepay.invoices.finding import find_clients
from nudgepay.invoices.models import Client, Invoice
from nudgepay.invoices.queries import LARGEST_ID
from nudgepay.invoices.validation import FieldError
from nudgepay.money import format_money
from nudgepay.nudges.amending import amend_invoice, fixed_fields, foresee_edit, foresee_new, open_invoice
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.invoices.form import NAMES, Typed, Unfit, said, texts_of
from nudgepay.web.ui.invoices.making import (
    SentForm,
    WritePage,
    client_of,
    read_checked,
    schedule_options,
    span_of,
)
from nudgepay.web.ui.invoices.words import FIELDS, FIXED, STATUS_WORDS
from nudgepay.web.ui.page import Page

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Theirs:
    """A field that somebody changed meanwhile: what it says now, and what was typed over it, if anything."""

    field: str
    now: str
    mine: str | None


@router.get("/invoices/{invoice_id:int}/edit", response_class=HTMLResponse)
def edit(page: WritePage, session: ReadSessionDep, invoice_id: int) -> Response:
    """The form, as the invoice stands."""
    invoice = _found(session, invoice_id)
    if invoice.status not in EDITABLE:
        return _closed(page, invoice)
    query = page.request.query_params
    if "choose" in query and "client_id" not in fixed_fields(session, invoice):
        q = query.get("q", "")[:100].replace("\x00", "")
        target = f"/invoices/{invoice.id}/edit"
        return page.show("invoices/choose.html", q=q, clients=find_clients(session, q), target=target)
    texts = texts_of(page, InvoiceFields.of(invoice))
    chosen = client_of(session, query.get("client", ""))
    return _form(page, session, invoice, Typed(texts, texts), client=chosen)


@router.post("/invoices/{invoice_id:int}/edit", response_class=HTMLResponse)
def save(page: WritePage, session: SessionDep, invoice_id: int, form: SentForm) -> Response:
    """Show what becomes of the letters, if anything does; then keep it."""
    invoice = _found(session, invoice_id)
    if invoice.status not in EDITABLE:
        return _closed(page, invoice)
    fixed = fixed_fields(session, invoice)
    typed = _without_fixed(page, invoice, Typed.of(form), fixed)
    if str(form.get("version")) != str(invoice.version):
        return _conflict(page, session, invoice, typed)
    client = invoice.client if "client_id" in fixed else client_of(session, str(form.get("client", "")))
    client_id = client.id if client is not None else invoice.client_id
    try:
        wanted = read_checked(page, session, typed, client_id, but=invoice.id)
    except Unfit as unfit:
        return _form(page, session, invoice, typed, client=client, problems=unfit.problems)
    if form.get("action") == "back":
        return _form(page, session, invoice, typed, client=client)
    letters = foresee_edit(session, invoice, wanted, span=span_of(page, session))
    if letters != {} and form.get("confirmed") != "yes":
        return _preview(page, invoice, typed, client_id, letters)
    try:
        changed = amend_invoice(session, invoice.id, wanted, version=invoice.version, now=page.now, actor=page.actor)
    except FieldError as error:
        return _form(page, session, invoice, typed, problems=said(page, error, paid=_paid(page, invoice)))
    except VersionConflict:
        return _conflict(page, session, invoice, typed)
    told = page.gettext("Saved.") if changed else page.gettext("Nothing was changed.")
    return page.go(f"/invoices/{invoice.id}", told=told)


@router.post("/invoices/{invoice_id:int}/open", response_class=HTMLResponse)
def open_(page: WritePage, session: SessionDep, invoice_id: int, form: SentForm) -> Response:
    """A draft becomes a claim, after a look at the letters that follow from it."""
    invoice = _found(session, invoice_id)
    if form.get("action") == "back":
        return page.go(f"/invoices/{invoice.id}/edit")
    if form.get("confirmed") != "yes" and invoice.status == "draft":
        letters = foresee_new(session, InvoiceFields.of(invoice), span=span_of(page, session))
        return page.show(
            "invoices/preview.html",
            title=page.gettext("Open %(number)s") % {"number": invoice.number},
            about=page.gettext("Its reminders follow the schedule from now on. These go within 60 days."),
            action=f"/invoices/{invoice.id}/open",
            number=invoice.number,
            hidden={"version": str(form.get("version", invoice.version))},
            letters=[letters] if letters is not None else [],
            button=page.gettext("Open it"),
        )
    version = str(form.get("version", ""))
    try:
        opened = open_invoice(
            session, invoice.id, version=int(version) if version.isdigit() else 0, now=page.now, actor=page.actor
        )
    except (VersionConflict, InvoiceClosed):
        told = page.gettext("%(number)s was changed meanwhile: look at it again.") % {"number": invoice.number}
        return page.go(f"/invoices/{invoice.id}", told=told, bad=True)
    return page.go(f"/invoices/{opened.id}", told=page.gettext("%(number)s is open.") % {"number": opened.number})


def _found(session: Session, invoice_id: int) -> Invoice:
    invoice = session.get(Invoice, invoice_id) if 0 < invoice_id <= LARGEST_ID else None
    if invoice is None:
        raise NotFound(f"there is no invoice {invoice_id}")
    return invoice


def _closed(page: Page, invoice: Invoice) -> Response:
    values = {"number": invoice.number, "status": page.gettext(STATUS_WORDS[invoice.status])}
    told = page.gettext("%(number)s cannot be edited any more: %(status)s.") % values
    return page.go(f"/invoices/{invoice.id}", told=told, bad=True)


def _without_fixed(page: Page, invoice: Invoice, typed: Typed, fixed: dict[str, str]) -> Typed:
    """What cannot be changed is as it stands, whatever was sent."""
    now = texts_of(page, InvoiceFields.of(invoice))
    kept = {name: now[name] for name in NAMES if name in fixed}
    return Typed({**typed.texts, **kept}, {**typed.was, **kept})


def _conflict(page: Page, session: Session, invoice: Invoice, typed: Typed) -> Response:
    session.refresh(invoice)
    if invoice.status not in EDITABLE:
        return _closed(page, invoice)
    now = texts_of(page, InvoiceFields.of(invoice))
    theirs = [
        Theirs(
            name, now[name], typed.texts[name] if name in typed.changed and typed.texts[name] != now[name] else None
        )
        for name in NAMES
        if now[name] != typed.was[name]
    ]
    return _form(page, session, invoice, typed.over(now), conflict=theirs, status=409)


def _preview(page: Page, invoice: Invoice, typed: Typed, client_id: int, letters: Any) -> Response:
    return page.show(
        "invoices/preview.html",
        title=page.gettext("What your change does"),
        about=page.gettext("Letters of the next 60 days, as they would go now and as they will go then."),
        action=f"/invoices/{invoice.id}/edit",
        number=invoice.number,
        hidden={**typed.texts, "was": typed.seen, "version": invoice.version, "client": client_id},
        letters=None if letters is None else list(letters.values()),
        button=page.gettext("Save"),
    )


def _form(
    page: Page,
    session: Session,
    invoice: Invoice,
    typed: Typed,
    *,
    client: Client | None = None,
    problems: dict[str, str] | None = None,
    conflict: list[Theirs] | None = None,
    status: int = 200,
) -> Response:
    fixed = {name: page.gettext(FIXED[why]) for name, why in fixed_fields(session, invoice).items()}
    if client is None or "client_id" in fixed:
        client = session.get_one(Client, invoice.client_id)
    return page.show(
        "invoices/form.html",
        status=422 if problems else status,
        invoice=invoice,
        client=client,
        typed=typed,
        problems=problems or {},
        fixed=fixed,
        conflict=conflict,
        labels=FIELDS,
        schedules=schedule_options(page, session, client),
        last_number="",
    )


def _paid(page: Page, invoice: Invoice) -> str:
    return format_money(invoice.amount_paid, invoice.currency, page.locale)
