"""What is wrong in a file, in the person's language: on its page, and as a file that runs nothing."""

import io
from typing import Any

from starlette.responses import Response

from nudgepay.invoices.exporting.writing import write_csv_file
from nudgepay.invoices.importing.faults import Unreadable
from nudgepay.payments.uploads.models import ImportUpload
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.problems import sentence
from nudgepay.web.ui.words import N_

SHOWN = 50
"""On the page; the file has all."""
TITLES = (N_("Line"), N_("Column"), N_("Value"), N_("What to do"))


def told_faults(page: Page, upload: ImportUpload, *, limit: int | None = None) -> list[dict[str, Any]]:
    """Each fault with its line, its column, what stands there, and the cure."""
    errors = (upload.report or {}).get("errors", [])
    return [{**fault, "what": sentence(page, fault["code"], fault["message"])} for fault in errors[:limit]]


def faults_file(page: Page, upload: ImportUpload) -> Response:
    """All of them as CSV."""
    rows = [(one["line"], one["column"], one["value"], one["what"]) for one in told_faults(page, upload)]
    written = io.BytesIO()
    write_csv_file(written, [page.gettext(title) for title in TITLES], rows)
    headers = {"Content-Disposition": f'attachment; filename="import-{upload.id}-errors.csv"'}
    return Response(written.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def problem_of_file(page: Page, error: Unreadable) -> str:
    """Why a file was not taken, and at which line."""
    problem = sentence(page, error.fault.code, error.fault.message)
    line = error.fault.line
    return page.gettext("Line %(line)s: %(problem)s") % {"line": line, "problem": problem} if line > 1 else problem
