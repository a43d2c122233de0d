"""`/payments/statements`: a file is brought here; the ones that were read, and how far their lines are."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.payments.statements.kept import newest_statements, progress_of, waiting_lines
from nudgepay.payments.statements.saved import saved_mappings
from nudgepay.payments.uploads.actions import newest_uploads
from nudgepay.payments.uploads.models import STATEMENT
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.row_ids import row_id_of
from nudgepay.web.ui.statements.paths import HOME
from nudgepay.web.ui.statements.words import BANKS, format_title, grouped
from nudgepay.web.ui.who import names_of

router = APIRouter()
StatementPage = Annotated[Page, allowed(Permission.PAYMENT_WRITE)]
AT_ONCE = 20


@router.get(HOME, response_class=HTMLResponse)
def statements(
    page: StatementPage, session: ReadSessionDep, before: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """The form, what waits, and the statements that were read."""
    return show_list(page, session, before=row_id_of(before))


def show_list(page: Page, session: Session, *, before: int | None = None, problem: str = "") -> Response:
    """The page; `problem` is why a file was not taken."""
    found = newest_statements(session, before=before, limit=AT_ONCE + 1)
    shown = found[:AT_ONCE]
    return page.show(
        "statements/list.html",
        status=422 if problem else 200,
        problem=problem,
        statements=shown,
        progress=progress_of(session, [one.id for one in shown]),
        who=names_of(session, {one.imported_by for one in shown}),
        uploads=[one for one in newest_uploads(session, kind=STATEMENT) if one.state != "done"],
        waiting=waiting_lines(session),
        saved=saved_mappings(session),
        banks=[name for key, name in BANKS.items() if key not in {"camt.053", "csv"}],
        title_of=lambda name: format_title(page, name),
        grouped=grouped,
        next_url=f"{HOME}?before={shown[-1].id}" if len(found) > AT_ONCE else None,
    )
