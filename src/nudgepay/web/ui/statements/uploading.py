"""A statement's file is brought: one that is understood is read at once, else its columns are asked for."""

from typing import Annotated

from fastapi import APIRouter, Form, UploadFile
from starlette.responses import Response

from nudgepay.access.permissions import Permission
from nudgepay.invoices.importing.faults import Unreadable
from nudgepay.payments.statements.choices import StatementChoices
from nudgepay.payments.statements.looking import look_at_statement
from nudgepay.payments.statements.saved import forget_layout, saved_layouts
from nudgepay.payments.uploads.actions import ask_for_import, store_upload
from nudgepay.payments.uploads.models import STATEMENT
from nudgepay.web.deps import SessionDep
from nudgepay.web.ui.files.background import work_soon
from nudgepay.web.ui.files.faults import problem_of_file
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.statements.listing import show_list
from nudgepay.web.ui.statements.paths import FILES, HOME

router = APIRouter()
StatementPage = Annotated[Page, allowed(Permission.PAYMENT_WRITE)]


@router.post(HOME)
def upload(page: StatementPage, file: UploadFile) -> Response:
    """Keep the file; its lines are kept by that, and nothing is booked."""
    content = file.file.read()
    choices = StatementChoices()
    with page.runtime.db.transaction() as session:
        try:
            found = look_at_statement(content, choices=choices, saved=saved_layouts(session))
        except Unreadable as error:
            return show_list(page, session, problem=problem_of_file(page, error))
        kept = store_upload(
            session, name=file.filename or "", content=content, choices=choices, actor=page.actor, kind=STATEMENT
        )
        upload_id = kept.id
        if not found.lacking:
            ask_for_import(session, upload_id, actor=page.actor, unseen=True)
    if found.lacking:
        return page.go(f"{FILES}/{upload_id}/columns")
    work_soon(page.runtime, upload_id, size=len(content))
    return page.go(f"{FILES}/{upload_id}")


@router.post(f"{HOME}/mappings/delete")
def forget(page: StatementPage, session: SessionDep, name: Annotated[str, Form(max_length=100)]) -> Response:
    """Forget what was said of a bank's columns; statements that were read by it stay as they are."""
    forget_layout(session, name=name, actor=page.actor)
    return page.go(HOME, told=page.gettext("The mapping is forgotten."))
