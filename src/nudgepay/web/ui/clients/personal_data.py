"""A person's data: what is here, handed out as a file; what erasing would do, and doing it."""

import json
from typing import Annotated

from fastapi import APIRouter, Form
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import Conflict, UsageError
from nudgepay.gateways.transports import forget_messages
from nudgepay.privacy.erasing import ErasureBlocked, OpenInvoices, erase_person
from nudgepay.privacy.erasure_ledger import ledger_of
from nudgepay.privacy.expiring import expire
from nudgepay.privacy.exporting import export_person
from nudgepay.privacy.foreseeing import foresee_erasure
from nudgepay.privacy.people import Person, person_by_address, person_of_client
from nudgepay.privacy.terms import retention_years
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.clients.editing import client_by_id
from nudgepay.web.ui.clients.people import ensure_at_client
from nudgepay.web.ui.clients.personal_words import COLUMNS, OBSTACLES, TABLES
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.row_ids import RowId

router = APIRouter()
ReaderPage = Annotated[Page, allowed(Permission.PRIVACY_EXPORT)]
ExportPage = Annotated[Page, allowed(Permission.PRIVACY_EXPORT, fresh=True)]
ErasePage = Annotated[Page, allowed(Permission.PRIVACY_ERASE, fresh=True)]
Contact = Annotated[int, Form(ge=0, lt=2**63)]
Tick = Annotated[str, Form(max_length=3)]
ERASED = "@erased.invalid"


@router.get("/clients/{client_id}/personal-data", response_class=HTMLResponse)
def personal_data(page: ReaderPage, session: ReadSessionDep, client_id: RowId, contact: int = 0) -> Response:
    """What is here of the client, or of one contact, and what erasing it would do."""
    return _shown(page, session, client_id, contact)


@router.post("/clients/{client_id}/personal-data/export")
def export(page: ExportPage, session: SessionDep, client_id: RowId, contact: Contact = 0) -> Response:
    """One JSON file, written for this answer and kept nowhere."""
    document = export_person(session, _person(session, client_id, contact), now=page.now, actor=page.actor)
    name = f"contact-{contact}" if contact else f"client-{client_id}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}-{page.now:%Y-%m-%d}.json"',
        "Cache-Control": "no-store",
    }
    content = json.dumps(document, indent=2, ensure_ascii=False)
    return Response(content, media_type="application/json", headers=headers)


@router.post("/clients/{client_id}/personal-data/erase")
def erase(page: ErasePage, client_id: RowId, contact: Contact = 0, sure: Tick = "", silence: Tick = "") -> Response:
    """Erase, if somebody has said that this is meant; in a transaction of its own, with the ledger around it."""
    runtime = page.runtime
    try:
        if not sure:
            raise UsageError("sure: say that you mean it")
        done = erase_person(
            runtime.db,
            ledger_of(runtime.settings),
            lambda session: _person(session, client_id, contact),
            years=retention_years(runtime.settings),
            silence=bool(silence),
            now=page.now,
            actor=page.actor,
        )
    except (ErasureBlocked, OpenInvoices, UsageError) as error:
        with runtime.db.transaction() as session:
            status = 409 if isinstance(error, Conflict) else 422
            return _shown(page, session, client_id, contact, status=status, unsure=not sure)
    forget_messages(runtime.settings, done.messages)
    told = page.gettext("Erased. What the law keeps stays until its term is over.")
    return page.go(f"/clients/{client_id}/personal-data" + (f"?contact={contact}" if contact else ""), told=told)


def _shown(
    page: Page, session: Session, client_id: int, contact: int, *, status: int = 200, unsure: bool = False
) -> Response:
    years = retention_years(page.runtime.settings)
    client = client_by_id(session, client_id)
    chosen = ensure_at_client(session, client_id, contact) if contact else None
    person = _person(session, client_id, contact)
    preview = foresee_erasure(session, person, years=years)
    return page.show(
        "clients/personal_data.html",
        status=status,
        client=client,
        contact=chosen,
        contacts=[one for one in client.contacts if not one.email.endswith(ERASED)],
        others=len(set(person.at) - {client_id}),
        preview=preview,
        expired=expire(session, years=years, now=page.now, actor=page.actor, dry_run=True) if preview.is_done else {},
        years=years,
        tables=TABLES,
        columns=COLUMNS,
        obstacles=[OBSTACLES[code] for code in preview.obstacles],
        unsure=unsure,
    )


def _person(session: Session, client_id: int, contact: int) -> Person:
    if not contact:
        return person_of_client(session, client_id)
    found = ensure_at_client(session, client_id, contact)
    return person_by_address(session, found.email)
