"""A client is added, and its name, language, zone and country are changed."""

from typing import Annotated

from fastapi import APIRouter, Form
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import Conflict, NotFound, UsageError
from nudgepay.invoices.actions import create_client
from nudgepay.invoices.checking import FieldErrors
from nudgepay.invoices.client_edits import ClientDetails, ContactDetails, edit_client
from nudgepay.invoices.models import Client
from nudgepay.invoices.validation import FieldError
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui import choosing
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.problems import problems_of
from nudgepay.web.ui.row_ids import RowId, Version

router = APIRouter()
WriterPage = Annotated[Page, allowed(Permission.CLIENT_WRITE)]
Line = Annotated[str, Form(max_length=2_000)]
"""Longer than any field may be, so that what is too long is told beside it."""


@router.get("/clients/new", response_class=HTMLResponse)
def new_client(page: WriterPage) -> Response:
    """An empty form with the business's own language, zone and country in it."""
    settings = page.runtime.settings
    typed = {
        "name": "",
        "contact_name": "",
        "email": "",
        "external_id": "",
        "locale": settings.business_locale,
        "timezone": settings.business_timezone,
        "country": settings.business_country,
    }
    return _form(page, typed)


@router.post("/clients/new")
def add_client(
    page: WriterPage,
    session: SessionDep,
    name: Line = "",
    contact_name: Line = "",
    email: Line = "",
    external_id: Line = "",
    locale: Line = "",
    timezone: Line = "",
    country: Line = "",
) -> Response:
    """A client with its billing contact; what is wrong is told beside the field."""
    details = ClientDetails(name, locale, timezone, country, external_id)
    person = ContactDetails(contact_name or name, email)
    try:
        checked = _checked_together(details, person)
        with session.begin_nested():
            client = create_client(
                session,
                name=checked.name,
                email=email,
                locale=checked.locale,
                timezone=checked.timezone,
                country=checked.country,
                external_id=checked.external_id or None,
                contact_name=contact_name or None,
                actor=page.actor,
            )
    except (UsageError, Conflict) as error:
        typed = {"name": name, "contact_name": contact_name, "email": email, "external_id": external_id}
        taken = FieldError("external_id", "taken", "another client has this key")
        wrong = error if isinstance(error, UsageError) else taken
        return _form(page, typed | {"locale": locale, "timezone": timezone, "country": country}, wrong)
    return page.go(f"/clients/{client.id}", told=page.gettext("The client is added."))


def _checked_together(details: ClientDetails, person: ContactDetails) -> ClientDetails:
    """Both halves of the form are judged at once."""
    errors: list[FieldError] = []
    checked = details
    for half in (details, person):
        try:
            done = half.checked()
            checked = done if isinstance(done, ClientDetails) else checked
        except FieldErrors as error:
            errors += error.errors
    named = {error.field for error in errors}
    errors = [error for error in errors if error.field != "contact_name" or "name" not in named]
    if errors:
        raise FieldErrors(errors)
    return checked


@router.get("/clients/{client_id}/edit", response_class=HTMLResponse)
def edit_form(page: WriterPage, session: ReadSessionDep, client_id: RowId) -> Response:
    """Who the client is."""
    client = client_by_id(session, client_id)
    typed = {
        "name": client.name,
        "external_id": client.external_id or "",
        "locale": client.locale,
        "timezone": client.timezone,
        "country": client.country,
    }
    return _form(page, typed, client=client)


@router.post("/clients/{client_id}/edit")
def edit(
    page: WriterPage,
    session: SessionDep,
    client_id: RowId,
    version: Version,
    name: Line = "",
    external_id: Line = "",
    locale: Line = "",
    timezone: Line = "",
    country: Line = "",
) -> Response:
    """Change it, unless somebody else did so meanwhile."""
    details = ClientDetails(name, locale, timezone, country, external_id)
    try:
        edit_client(session, client_id, details, expected=version, now=page.now, actor=page.actor)
    except UsageError as error:
        client = client_by_id(session, client_id)
        typed = {"name": name, "external_id": external_id, "locale": locale, "timezone": timezone, "country": country}
        return _form(page, typed, error, client=client, version=version)
    return page.go(f"/clients/{client_id}", told=page.gettext("Saved. Its letters are planned anew."))


def _form(
    page: Page,
    typed: dict[str, str],
    error: UsageError | None = None,
    *,
    client: Client | None = None,
    version: int | None = None,
) -> Response:
    return page.show(
        "clients/edit.html",
        status=422 if error else 200,
        client=client,
        version=version or (client.version if client else None),
        typed=typed,
        problems=problems_of(page, error),
        locales=choosing.with_present(choosing.locales(page.locale), typed["locale"]),
        zones=choosing.with_present(choosing.zones(), typed["timezone"]),
        countries=choosing.with_present(choosing.countries(page.locale), typed["country"]),
    )


def client_by_id(session: Session, client_id: int) -> Client:
    """The client; raises NotFound."""
    found = session.get(Client, client_id)
    if found is None:
        raise NotFound("there is no such client")
    return found
