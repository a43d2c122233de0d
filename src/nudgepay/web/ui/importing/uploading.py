"""`/import`: a file is brought, and the ones brought lately are listed. Nothing is on the books by that."""

import io
from typing import Annotated

from fastapi import APIRouter, Form, UploadFile
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.errors import UsageError
from nudgepay.invoices.exporting.writing import write_csv_file
from nudgepay.invoices.importing.faults import Unreadable
from nudgepay.invoices.importing.layouts import presets
from nudgepay.invoices.importing.saved import delete_mapping, mappings, saved_layouts
from nudgepay.payments.uploads.actions import ask_for_check, newest_uploads, store_upload
from nudgepay.payments.uploads.choices import Choices
from nudgepay.payments.uploads.looking import Look, look_at
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui import choosing
from nudgepay.web.ui.files.background import work_soon
from nudgepay.web.ui.files.faults import problem_of_file
from nudgepay.web.ui.importing.titles import title_of
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
ImportPage = Annotated[Page, allowed(Permission.INVOICE_IMPORT)]
SAMPLE = (
    ("client_name", "client_email", "invoice_number", "issued_on", "due_on", "currency", "amount", "amount_paid"),
    ("Bakery Lindner", "klara@lindner.example", "2026-101", "2026-03-01", "2026-03-31", "EUR", "480.00", "0.00"),
    (
        "Hudson & Park",
        "marcus@hudsonpark.example",
        "2026-102",
        "2026-03-03",
        "2026-04-02",
        "USD",
        "1250.00",
        "250.00",
    ),
)


@router.get("/import", response_class=HTMLResponse)
def start(page: ImportPage, session: ReadSessionDep) -> Response:
    """The form, what is understood without a word, and what was brought lately."""
    return _show(page, session)


@router.get("/import/sample.csv")
def sample(page: ImportPage) -> Response:
    """A file as it is read without any mapping."""
    written = io.BytesIO()
    write_csv_file(written, SAMPLE[0], SAMPLE[1:])
    headers = {"Content-Disposition": 'attachment; filename="nudgepay-import.csv"'}
    return Response(written.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/import")
def upload(page: ImportPage, file: UploadFile, locale: Annotated[str, Form(max_length=20)] = "") -> Response:
    """Keep the file; one that is understood is read on trial at once, else its columns are asked for."""
    content = file.file.read()
    choices = Choices(locale=locale if locale in dict(choosing.locales(page.locale)) else "")
    with page.runtime.db.transaction() as session:
        try:
            found = look_at(content, wishes=choices.wishes(), saved=saved_layouts(session))
        except Unreadable as error:
            return _show(page, session, problem=problem_of_file(page, error), locale=locale)
        except UsageError as error:
            return _show(page, session, problem=str(error), locale=locale)
        kept = store_upload(session, name=file.filename or "", content=content, choices=choices, actor=page.actor)
        is_clear = not found.lacking and not found.remark
        if is_clear:
            ask_for_check(session, kept.id, choices)
        upload_id = kept.id
    return _go_on(page, upload_id, found, is_clear=is_clear, size=len(content))


def _go_on(page: Page, upload_id: int, found: Look, *, is_clear: bool, size: int) -> Response:
    if not is_clear:
        return page.go(f"/import/{upload_id}/columns")
    work_soon(page.runtime, upload_id, size=size)
    return page.go(f"/import/{upload_id}")


def _show(page: Page, session: Session, *, problem: str = "", locale: str = "") -> Response:
    return page.show(
        "importing/start.html",
        status=422 if problem else 200,
        problem=problem,
        locale=locale,
        locales=choosing.locales(page.locale),
        uploads=newest_uploads(session),
        saved=mappings(session),
        known=[title_of(page, name) for name in presets()],
    )


@router.post("/import/mappings/delete")
def delete(page: ImportPage, session: SessionDep, name: Annotated[str, Form(max_length=100)]) -> Response:
    """Forget a saved mapping; files that were read by it stay as they are."""
    delete_mapping(session, name=name, actor=page.actor)
    return page.go("/import", told=page.gettext("The mapping is forgotten."))
