"""Which column of a bank's CSV file is what: seen with the file's own first rows, and kept for that bank."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import UsageError
from nudgepay.invoices.validation import FieldError
from nudgepay.payments.statements.choices import AS_FOUND, BY_COLUMNS, StatementChoices, checked_choices
from nudgepay.payments.statements.layouts import REQUIRED
from nudgepay.payments.statements.looking import StatementLook, look_at_statement
from nudgepay.payments.statements.saved import save_layout, saved_layouts
from nudgepay.payments.uploads.actions import ask_for_check, upload_by_id
from nudgepay.payments.uploads.models import STATEMENT, ImportUpload
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui import choosing
from nudgepay.web.ui.files.background import work_soon
from nudgepay.web.ui.files.columns import chosen_columns, column_problems, ensure_readable, given_fields
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.problems import Problems
from nudgepay.web.ui.row_ids import RowId
from nudgepay.web.ui.statements.paths import FILES
from nudgepay.web.ui.statements.words import FIELD_NAMES, format_title

router = APIRouter()
StatementPage = Annotated[Page, allowed(Permission.PAYMENT_WRITE)]


@router.get(FILES + "/{upload_id}/columns", response_class=HTMLResponse)
def columns(page: StatementPage, session: ReadSessionDep, upload_id: RowId) -> Response:
    """The columns as they are understood now."""
    upload = _upload(session, upload_id)
    return _form(page, session, upload, StatementChoices(**upload.choices), Problems())


@router.post(FILES + "/{upload_id}/columns")
async def change(page: StatementPage, upload_id: RowId, request: Request) -> Response:
    """Read the whole file on trial in this way; with a name, keep the way for the next file like it."""
    return await run_in_threadpool(_change, page, upload_id, await given_fields(request))


def _change(page: Page, upload_id: int, given: Mapping[str, str]) -> Response:
    with page.runtime.db.transaction() as session:
        upload = _upload(session, upload_id)
        names = [column.name for column in _look(session, upload, StatementChoices()).columns]
        chosen = chosen_columns(given, names, FIELD_NAMES)
        how = BY_COLUMNS if given.get("how") == BY_COLUMNS else AS_FOUND
        told = {name: given.get(name, "") for name in ("locale", "currency", "account")}
        typed = StatementChoices(how, chosen, **told)
        try:
            choices = checked_choices(how=how, columns=chosen if how == BY_COLUMNS else {}, **told)
            _ensure_understood(page, session, upload, choices)
            name = given.get("save_as", "").strip()
            if name and how == BY_COLUMNS:
                _save(session, name, choices, actor=page.actor)
        except UsageError as error:
            return _form(page, session, upload, typed, column_problems(page, error), given=given)
        ask_for_check(session, upload_id, choices, kind=STATEMENT)
        size = upload.size
    work_soon(page.runtime, upload_id, size=size)
    return page.go(f"{FILES}/{upload_id}")


def _ensure_understood(page: Page, session: Session, upload: ImportUpload, choices: StatementChoices) -> None:
    if choices.how == BY_COLUMNS:
        lacking = [name for name in REQUIRED if name not in choices.columns.values()]
    else:
        lacking = list(_look(session, upload, choices).lacking)
    if lacking:
        named = ", ".join(page.gettext(FIELD_NAMES[name]) for name in lacking)
        told = page.gettext("No column fills: %(fields)s. Choose one for each.") % {"fields": named}
        raise FieldError("columns", "lacking", told)


def _save(session: Session, name: str, choices: StatementChoices, *, actor: str) -> None:
    save_layout(
        session,
        name=name,
        columns=choices.columns,
        locale=choices.locale,
        currency=choices.currency,
        actor=actor,
    )


def _form(
    page: Page,
    session: Session,
    upload: ImportUpload,
    choices: StatementChoices,
    problems: Problems,
    *,
    given: Mapping[str, str] | None = None,
) -> Response:
    found = _look(session, upload, StatementChoices())
    chosen = {column.name: column.field for column in found.columns}
    if choices.how == BY_COLUMNS:
        chosen = dict.fromkeys(chosen, "") | dict(choices.columns)
    return page.show(
        "statements/columns.html",
        status=422 if problems else 200,
        upload=upload,
        path=f"{FILES}/{upload.id}",
        found=found,
        title=format_title(page, found.layout),
        chosen=chosen,
        choices=choices,
        given=given or {},
        problems=problems,
        fields=[(name, label, name in REQUIRED) for name, label in FIELD_NAMES.items()],
        locales=choosing.with_present(choosing.locales(page.locale), choices.locale),
        currencies=choosing.with_present(choosing.currencies(page.locale), choices.currency),
    )


def _look(session: Session, upload: ImportUpload, choices: StatementChoices) -> StatementLook:
    return look_at_statement(upload.content or b"", choices=choices, saved=saved_layouts(session))


def _upload(session: Session, upload_id: int) -> ImportUpload:
    return ensure_readable(upload_by_id(session, upload_id, content=True, kind=STATEMENT))
