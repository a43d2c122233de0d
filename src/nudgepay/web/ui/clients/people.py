"""The people at a client: added, changed, removed and brought back, and said to be the right ones after all."""

from typing import Annotated

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import Conflict, NotFound, UsageError
from nudgepay.invoices.actions import VersionConflict, add_contact, wake
from nudgepay.invoices.client_edits import ContactDetails, edit_contact
from nudgepay.invoices.models import Client, Contact
from nudgepay.invoices.queries import lock_client
from nudgepay.invoices.validation import FieldError
from nudgepay.nudges.client_file import Person, people_of
from nudgepay.nudges.recipients import confirm_person, has_recipient, remove_contact, restore_contact
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui import choosing
from nudgepay.web.ui.clients.editing import Line, client_by_id
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.problems import problems_of
from nudgepay.web.ui.row_ids import RowId, Version

router = APIRouter()
WriterPage = Annotated[Page, allowed(Permission.CLIENT_WRITE)]


@router.get("/clients/{client_id}/contacts/new", response_class=HTMLResponse)
def new_contact(page: WriterPage, session: ReadSessionDep, client_id: RowId) -> Response:
    """An empty form."""
    return _form(page, client_by_id(session, client_id), ContactDetails("", ""))


@router.post("/clients/{client_id}/contacts/new")
def add(
    page: WriterPage,
    session: SessionDep,
    client_id: RowId,
    name: Line = "",
    email: Line = "",
    role: Line = "billing",
    locale: Line = "",
    timezone: Line = "",
) -> Response:
    """Another person who is written to."""
    client = lock_client(session, client_id)
    typed = ContactDetails(name, email, role, locale, timezone)
    try:
        checked = typed.checked()
        add_contact(
            session,
            client_id=client_id,
            name=checked.name,
            email=checked.email,
            role=checked.role,
            locale=checked.locale or None,
            timezone=checked.timezone or None,
            actor=page.actor,
        )
    except (UsageError, Conflict) as error:
        taken = FieldError("email", "address_taken", "the client has a contact with this address")
        return _form(page, client, typed, error if isinstance(error, UsageError) else taken)
    wake(session, now=page.now, client_id=client_id)
    return page.go(f"/clients/{client_id}#people", told=page.gettext("The contact is added."))


@router.get("/clients/{client_id}/contacts/{contact_id}", response_class=HTMLResponse)
def edit_form(page: WriterPage, session: ReadSessionDep, client_id: RowId, contact_id: RowId) -> Response:
    """The person, and what blocks the address."""
    person = person_of(session, client_id, contact_id)
    typed = ContactDetails(person.name, person.email, person.role, person.locale or "", person.timezone or "")
    return _form(page, client_by_id(session, client_id), typed, person=person)


@router.post("/clients/{client_id}/contacts/{contact_id}")
def edit(
    page: WriterPage,
    session: SessionDep,
    client_id: RowId,
    contact_id: RowId,
    version: Version,
    name: Line = "",
    email: Line = "",
    role: Line = "",
    locale: Line = "",
    timezone: Line = "",
) -> Response:
    """Change it, unless somebody else did so meanwhile. No block ends by this."""
    person = person_of(session, client_id, contact_id)
    typed = ContactDetails(name, email, role, locale, timezone)
    try:
        edit_contact(session, contact_id, typed, expected=version, now=page.now, actor=page.actor)
    except UsageError as error:
        return _form(page, client_by_id(session, client_id), typed, error, person=person, version=version)
    return _told(page, session, client_id, page.gettext("Saved."))


@router.post("/clients/{client_id}/contacts/{contact_id}/remove")
def remove(page: WriterPage, session: SessionDep, client_id: RowId, contact_id: RowId, version: Version) -> Response:
    """Write to this person no more."""
    ensure_at_client(session, client_id, contact_id)
    remove_contact(session, contact_id=contact_id, expected=version, now=page.now, actor=page.actor)
    way_back = Undo(f"/clients/{client_id}/contacts/{contact_id}/restore", {})
    return _told(page, session, client_id, page.gettext("The contact is removed."), way_back)


@router.post("/clients/{client_id}/contacts/{contact_id}/restore")
def restore(page: WriterPage, session: SessionDep, client_id: RowId, contact_id: RowId) -> Response:
    """Take the removal back."""
    ensure_at_client(session, client_id, contact_id)
    restore_contact(session, contact_id=contact_id, now=page.now, actor=page.actor)
    return page.go(f"/clients/{client_id}#people", told=page.gettext("The contact is back."))


@router.post("/clients/{client_id}/contacts/{contact_id}/right-person")
def right_person(
    page: WriterPage, session: SessionDep, client_id: RowId, contact_id: RowId, version: Version
) -> Response:
    """Somebody of ours has made sure that it is the right person after all."""
    if ensure_at_client(session, client_id, contact_id).version != version:
        raise VersionConflict("the contact was changed meanwhile; look at it again")
    confirm_person(session, contact_id=contact_id, now=page.now, actor=page.actor)
    return page.go(f"/clients/{client_id}#people", told=page.gettext("Noted: letters go to this person again."))


def _told(page: Page, session: Session, client_id: int, text: str, undo: Undo | None = None) -> Response:
    """Back to the client, with a warning when nobody can be written to now."""
    session.flush()
    if has_recipient(session, client_id):
        return page.go(f"/clients/{client_id}#people", told=text, undo=undo)
    nobody = page.gettext("Nobody at this client can be written to now: its reminders wait.")
    return page.go(f"/clients/{client_id}#people", told=f"{text} {nobody}", undo=undo, bad=True)


def person_of(session: Session, client_id: int, contact_id: int) -> Person:
    """The contact of this client; raises NotFound."""
    found = next((one for one in people_of(session, client_id) if one.id == contact_id), None)
    if found is None:
        raise NotFound("this client has no such contact")
    return found


def ensure_at_client(session: Session, client_id: int, contact_id: int) -> Contact:
    """The contact, removed or not, if it is this client's; raises NotFound."""
    found = session.get(Contact, contact_id)
    if found is None or found.client_id != client_id:
        raise NotFound("this client has no such contact")
    return found


def _form(
    page: Page,
    client: Client,
    typed: ContactDetails,
    error: UsageError | None = None,
    *,
    person: Person | None = None,
    version: int | None = None,
) -> Response:
    return page.show(
        "clients/contact.html",
        status=422 if error else 200,
        client=client,
        contact=person,
        version=version or (person.version if person else None),
        typed=typed,
        problems=problems_of(page, error),
        locales=choosing.with_present(choosing.locales(page.locale), typed.locale),
        zones=choosing.with_present(choosing.zones(), typed.timezone),
    )
