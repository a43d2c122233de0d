"""`/invoices/new`: whom for, then what for. Drafts send nothing; what would send a letter at once says so first."""

from dataclasses import fields as dataclass_fields
from datetime import timedelta
from typing import Annotated, Any

from babel.numbers import get_territory_currencies
from fastapi import APIRouter, Depends, Request
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.invoices.actions import InvoiceExists, create_invoice
from nudgepay.invoices.editing import InvoiceFields, ensure_free, is_taken
from nudgepay.invoices.finding import find_clients, last_invoice
from nudgepay.invoices.models import Client
from nudgepay.invoices.queries import LARGEST_ID
from nudgepay.invoices.validation import FieldError
from nudgepay.nudges.amending import foresee_new
from nudgepay.nudges.changes import LettersChanged
from nudgepay.nudges.preview import Span
from nudgepay.nudges.queries import load_calendar, load_rules
from nudgepay.nudges.schedules import DEFAULT, current_schedules
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.invoices.form import Typed, Unfit, problem, read, said
from nudgepay.web.ui.invoices.listing import today_of
from nudgepay.web.ui.invoices.words import FIELDS
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
SOON = timedelta(days=1)
AHEAD = timedelta(days=60)
USUAL_TERM = timedelta(days=30)
MADE_OF = tuple(one.name for one in dataclass_fields(InvoiceFields))
WritePage = Annotated[Page, allowed(Permission.INVOICE_WRITE)]


async def sent_form(request: Request) -> dict[str, Any]:
    """The form's fields, whatever they are called."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


SentForm = Annotated[dict[str, Any], Depends(sent_form)]


@router.get("/invoices/new", response_class=HTMLResponse)
def new(page: WritePage, session: ReadSessionDep) -> Response:
    """Whom for; with a client the form itself, filled with what was usual the last time."""
    client = client_of(session, page.request.query_params.get("client", ""))
    if client is None:
        q = page.request.query_params.get("q", "")[:100].replace("\x00", "")
        return page.show("invoices/choose.html", q=q, clients=find_clients(session, q), target="/invoices/new")
    last = last_invoice(session, client.id)
    today = today_of(page)
    term = last.due_on - last.issued_on if last is not None and last.due_on >= last.issued_on else USUAL_TERM
    texts = {
        "number": "",
        "description": "",
        "amount_due": "",
        "currency": last.currency if last is not None else _home_currency(page),
        "issued_on": today.isoformat(),
        "due_on": (today + term).isoformat(),
        "schedule_name": "",
        "external_id": "",
    }
    return shown(page, session, client, Typed(texts, texts))


@router.post("/invoices/new", response_class=HTMLResponse)
def create(page: WritePage, session: SessionDep, form: SentForm) -> Response:
    """A draft, or a claim; a claim whose first letter would go within a day is shown before it is made."""
    client = client_of(session, str(form.get("client", "")))
    if client is None:
        return page.go("/invoices/new", told=problem(page, "client_id", "unknown_client"), bad=True)
    typed = Typed.of(form)
    try:
        fields = read_checked(page, session, typed, client.id)
    except Unfit as unfit:
        return shown(page, session, client, typed, problems=unfit.problems)
    is_draft = form.get("action") == "draft"
    if form.get("action") == "back":
        return shown(page, session, client, typed)
    if not is_draft and form.get("confirmed") != "yes":
        letters = foresee_new(session, fields, span=span_of(page, session))
        if _goes_soon(page, letters):
            return page.show(
                "invoices/preview.html",
                title=page.gettext("This invoice is written to at once"),
                about=page.gettext("These letters go when it is opened now, if nothing comes between."),
                action="/invoices/new",
                number=fields.number,
                hidden={**typed.texts, "client": client.id},
                letters=[letters],
                button=page.gettext("Create and send"),
            )
    try:
        with session.begin_nested():
            invoice = create_invoice(
                session,
                **{one: getattr(fields, one) for one in MADE_OF},
                draft=is_draft,
                now=page.now,
                actor=page.actor,
            )
    except (IntegrityError, InvoiceExists):  # somebody took the number at this very moment
        return shown(page, session, client, typed, problems={"number": problem(page, "number", "taken")})
    told = page.gettext("The draft %(number)s is kept.") if is_draft else page.gettext("Invoice %(number)s is made.")
    return page.go(f"/invoices/{invoice.id}", told=told % {"number": invoice.number})


def client_of(session: Session, said: str) -> Client | None:
    """The client with the id that was said, if that is one."""
    id_ = int(said) if said.isascii() and said.isdigit() and len(said) < 20 else 0
    return session.get(Client, id_) if 0 < id_ <= LARGEST_ID else None


def read_checked(
    page: Page, session: Session, typed: Typed, client_id: int, *, but: int | None = None
) -> InvoiceFields:
    """The fields, fit for the books; raises Unfit with everything that is wrong."""
    try:
        fields = read(page, typed, client_id=client_id)
    except Unfit as unfit:
        for name in ("number", "external_id"):
            text = typed.texts[name].strip()
            if name not in unfit.problems and text and is_taken(session, name, text, but=but):
                unfit.problems[name] = problem(page, name, "taken")
        raise
    if fields.schedule_name and fields.schedule_name not in current_schedules(session):
        raise Unfit({"schedule_name": problem(page, "schedule_name", "unknown_schedule")})
    try:
        ensure_free(session, fields, but=but)
    except FieldError as error:
        raise Unfit(said(page, error)) from error
    return fields


def span_of(page: Page, session: Session) -> Span:
    """The next 60 days under the rules as they stand."""
    settings = page.runtime.settings
    return Span(load_rules(session, settings), load_calendar(settings), page.now, page.now + AHEAD)


def shown(
    page: Page, session: Session, client: Client, typed: Typed, *, problems: dict[str, str] | None = None
) -> Response:
    """The form of a new invoice."""
    newest = last_invoice(session)
    return page.show(
        "invoices/form.html",
        status=422 if problems else 200,
        invoice=None,
        client=client,
        typed=typed,
        problems=problems or {},
        fixed={},
        conflict=None,
        labels=FIELDS,
        schedules=schedule_options(page, session, client),
        last_number=newest.number if newest is not None else "",
    )


def schedule_options(page: Page, session: Session, client: Client) -> list[tuple[str, str]]:
    """Every schedule; the first is what the client has."""
    usual = page.gettext("As the client has it (%(name)s)") % {"name": client.schedule_name or DEFAULT}
    return [("", usual), *((name, name) for name in sorted(current_schedules(session)))]


def _goes_soon(page: Page, letters: LettersChanged | None) -> bool:
    return letters is not None and any(at <= page.now + SOON for _, at in letters.new)


def _home_currency(page: Page) -> str:
    """The money of the business's own country."""
    country = page.runtime.settings.business_country
    found = get_territory_currencies(country) if country else []
    return found[0] if found else "EUR"
