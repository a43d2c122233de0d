"""Which column of a file fills which field: seen with the file's own first rows, changed, and kept under a name."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import UsageError
from nudgepay.invoices.importing.columns import OPTIONAL, REQUIRED
from nudgepay.invoices.importing.guessing import guessed
from nudgepay.invoices.importing.layouts import presets
from nudgepay.invoices.importing.saved import save_mapping, saved_layouts
from nudgepay.invoices.validation import FieldError
from nudgepay.payments.uploads.actions import ask_for_check, upload_by_id
from nudgepay.payments.uploads.choices import AS_FOUND, BY_COLUMNS, Choices, checked_choices
from nudgepay.payments.uploads.looking import Look, look_at
from nudgepay.payments.uploads.models import INVOICES, ImportUpload
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui import choosing
from nudgepay.web.ui.files.background import work_soon
from nudgepay.web.ui.files.columns import chosen_columns, column_problems, ensure_readable, given_fields
from nudgepay.web.ui.importing.titles import title_of
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.problems import Problems, problems_of
from nudgepay.web.ui.row_ids import RowId
from nudgepay.web.ui.words import N_

router = APIRouter()
ImportPage = Annotated[Page, allowed(Permission.INVOICE_IMPORT)]
FIELD_NAMES = {
    "client_name": N_("Client: name"),
    "client_email": N_("Client: e-mail address"),
    "invoice_number": N_("Invoice: number"),
    "due_on": N_("Invoice: due on"),
    "currency": N_("Invoice: currency"),
    "amount": N_("Invoice: amount"),
    "issued_on": N_("Invoice: issued on"),
    "amount_paid": N_("Invoice: paid so far"),
    "amount_open": N_("Invoice: still open"),
    "description": N_("Invoice: what for"),
    "external_id": N_("Invoice: key in another program"),
    "client_external_id": N_("Client: key in another program"),
    "client_locale": N_("Client: language"),
    "client_timezone": N_("Client: time zone"),
    "client_country": N_("Client: country"),
}
ORDER = tuple(name for name in FIELD_NAMES if name in {*REQUIRED, *OPTIONAL})


@router.get("/import/{upload_id}/columns", response_class=HTMLResponse)
def columns(page: ImportPage, session: ReadSessionDep, upload_id: RowId) -> Response:
    """The columns as they are understood now."""
    upload = _upload(session, upload_id)
    choices = Choices(**upload.choices)
    return _form(page, session, upload, choices, problems_of(page, None))


@router.post("/import/{upload_id}/columns")
async def change(page: ImportPage, upload_id: RowId, request: Request) -> Response:
    """Read the whole file on trial in this way; with a name, keep the way for the next file like it."""
    return await run_in_threadpool(_change, page, upload_id, await given_fields(request))


def _change(page: Page, upload_id: int, given: Mapping[str, str]) -> Response:
    with page.runtime.db.transaction() as session:
        upload = _upload(session, upload_id)
        names = [column.name for column in _look(session, upload, Choices(sheet=given.get("sheet", ""))).columns]
        chosen = chosen_columns(given, names, FIELD_NAMES)
        typed = _typed(given, chosen)
        try:
            choices = checked_choices(
                how=typed.how,
                columns=chosen if typed.how == BY_COLUMNS else {},
                locale=typed.locale,
                currency=typed.currency,
                due_days=given.get("due_days", ""),
                sheet=typed.sheet,
            )
            _ensure_understood(page, _look(session, upload, choices))
            if given.get("save_as", "").strip() and choices.how == BY_COLUMNS:
                _save(session, given["save_as"], choices, page.actor)
        except UsageError as error:
            return _form(page, session, upload, typed, column_problems(page, error), given=given)
        ask_for_check(session, upload_id, choices)
        size = upload.size
    work_soon(page.runtime, upload_id, size=size)
    return page.go(f"/import/{upload_id}")


def _typed(given: Mapping[str, str], chosen: Mapping[str, str]) -> Choices:
    how = given.get("how", AS_FOUND)
    known = how in {AS_FOUND, BY_COLUMNS} or how.startswith(("saved:", "preset:"))
    return Choices(
        how=how if known else AS_FOUND,
        columns=dict(chosen),
        locale=given.get("locale", ""),
        currency=given.get("currency", ""),
        sheet=given.get("sheet", ""),
    )


def _save(session: Session, name: str, choices: Choices, actor: str) -> None:
    save_mapping(
        session,
        name=name,
        columns=choices.columns,
        locale=choices.locale or None,
        currency=choices.currency or None,
        actor=actor,
    )


def _ensure_understood(page: Page, found: Look) -> None:
    if found.lacking:
        named = ", ".join(page.gettext(FIELD_NAMES[name]) for name in found.lacking)
        told = page.gettext("No column fills: %(fields)s. Choose one for each.") % {"fields": named}
        raise FieldError("columns", "lacking", told)


def _form(
    page: Page,
    session: Session,
    upload: ImportUpload,
    choices: Choices,
    problems: Problems,
    *,
    given: Mapping[str, str] | None = None,
) -> Response:
    try:
        found = _look(session, upload, choices)
    except UsageError:
        found = _look(session, upload, Choices())
    chosen = {column.name: column.field for column in found.columns}
    if choices.how == AS_FOUND and found.lacking:
        chosen = guessed(chosen) | {name: field for name, field in chosen.items() if field}
    if choices.how == BY_COLUMNS:
        chosen |= dict.fromkeys(chosen, "") | dict(choices.columns)
    return page.show(
        "importing/columns.html",
        status=422 if problems else 200,
        upload=upload,
        found=found,
        title=title_of(page, found.layout),
        chosen=chosen,
        choices=choices,
        given=given or {},
        problems=problems,
        fields=[(name, FIELD_NAMES[name], name in REQUIRED) for name in ORDER],
        ways=_ways(session, page),
        sheets=[(name, name) for name in found.sheets],
        locales=choosing.with_present(choosing.locales(page.locale), choices.locale),
        currencies=choosing.with_present(choosing.currencies(page.locale), choices.currency),
    )


def _ways(session: Session, page: Page) -> list[tuple[str, str]]:
    saved = [
        (f"saved:{one.name}", page.gettext("Saved: %(name)s") % {"name": one.name}) for one in saved_layouts(session)
    ]
    return [*saved, *((f"preset:{name}", title_of(page, name)) for name in presets())]


def _look(session: Session, upload: ImportUpload, choices: Choices) -> Look:
    given = [
        name
        for name, value in (("currency", choices.currency), ("due_on", choices.due_days))
        if value not in {"", None}
    ]
    return look_at(upload.content or b"", wishes=choices.wishes(), saved=saved_layouts(session), given=given)


def _upload(session: Session, upload_id: int) -> ImportUpload:
    return ensure_readable(upload_by_id(session, upload_id, content=True, kind=INVOICES))
