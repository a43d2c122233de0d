"""By which schedule a client is chased, and what is too little for a letter."""

from typing import Annotated

from babel.numbers import format_decimal
from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import UsageError
from nudgepay.invoices.checking import FieldErrors
from nudgepay.invoices.client_edits import edit_chasing
from nudgepay.invoices.models import Client
from nudgepay.invoices.validation import FieldError
from nudgepay.money import AmountError, babel_locale, ensure_currency, exponent, parse_major, to_major
from nudgepay.nudges.client_file import currencies_of
from nudgepay.nudges.schedules import DEFAULT, current_schedules
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.clients.editing import client_by_id
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.problems import problems_of
from nudgepay.web.ui.row_ids import RowId, row_id_of

router = APIRouter()
WriterPage = Annotated[Page, allowed(Permission.CLIENT_WRITE)]
FIELD = "tolerance_"
MOST_FIELDS = 200


@router.get("/clients/{client_id}/chasing", response_class=HTMLResponse)
def chasing_form(page: WriterPage, session: ReadSessionDep, client_id: RowId) -> Response:
    """Both as they stand."""
    client = client_by_id(session, client_id)
    typed = {code: _written(minor, code, page.locale) for code, minor in client.tolerance.items()}
    return _form(page, session, client, client.schedule_name or "", typed)


@router.post("/clients/{client_id}/chasing")
async def change_chasing(page: WriterPage, session: SessionDep, client_id: RowId, request: Request) -> Response:
    """Change both, unless somebody else did so meanwhile; a tolerance of nothing is none."""
    form = await request.form(max_fields=MOST_FIELDS)
    given = {key: value for key, value in form.items() if isinstance(value, str)}
    return await run_in_threadpool(_change, page, session, client_id, given)


def _change(page: Page, session: Session, client_id: int, given: dict[str, str]) -> Response:
    client = client_by_id(session, client_id)
    schedule = given.get("schedule", "")
    typed = {key.removeprefix(FIELD): text for key, text in given.items() if key.startswith(FIELD)}
    try:
        if schedule and schedule not in current_schedules(session):
            raise FieldError("schedule", "unknown_schedule", "there is no such schedule")
        edit_chasing(
            session,
            client_id,
            schedule_name=schedule or None,
            tolerance=_amounts(typed, page.locale),
            expected=row_id_of(given.get("version", "")) or 0,
            now=page.now,
            actor=page.actor,
        )
    except UsageError as error:
        return _form(page, session, client, schedule, typed, error)
    return page.go(f"/clients/{client_id}", told=page.gettext("Saved. Its letters are planned anew."))


def _amounts(typed: dict[str, str], locale: str) -> dict[str, int]:
    """Amounts of major units, as the person writes them, in minor units; raises FieldErrors."""
    found, errors = {}, []
    for code, text in typed.items():
        try:
            currency = ensure_currency(code)
            found[currency] = parse_major(text, currency, locale) if text.strip() else 0
            if found[currency] < 0:
                raise AmountError("must be 0 or more")
        except UsageError:
            errors.append(FieldError(f"{FIELD}{code}", "not_an_amount", "is no amount"))
    if errors:
        raise FieldErrors(errors)
    return found


def _written(minor: int, currency: str, locale: str) -> str:
    places = exponent(currency)
    pattern = f"0.{'0' * places}" if places else "0"
    return format_decimal(to_major(minor, currency), format=pattern, locale=babel_locale(locale))


def _form(
    page: Page,
    session: Session,
    client: Client,
    schedule: str,
    typed: dict[str, str],
    error: UsageError | None = None,
) -> Response:
    return page.show(
        "clients/chasing.html",
        status=422 if error else 200,
        client=client,
        schedule=schedule,
        schedules=sorted(name for name in current_schedules(session) if name != DEFAULT),
        currencies=sorted({*currencies_of(session, client.id), *client.tolerance}),
        typed=typed,
        problems=problems_of(page, error),
    )
