"""`/payments/statements/{id}` and `.../waiting`: lines with what each may be, and what became of them."""

from collections.abc import Sequence
from datetime import date
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.payments.statements.kept import (
    Decided,
    Progress,
    decided_lines,
    progress_of,
    statement_by_id,
    waiting_lines,
)
from nudgepay.payments.statements.queries import list_lines
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.cursors import pack, unpack
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.row_ids import HIGHEST, RowId, row_id_of
from nudgepay.web.ui.statements.paths import HOME, WAITING, statement_path
from nudgepay.web.ui.statements.rows import CERTAIN, GROUPS, rows_of, sums_of
from nudgepay.web.ui.statements.words import format_title, grouped
from nudgepay.web.ui.who import names_of
from nudgepay.web.ui.words import N_

router = APIRouter()
StatementPage = Annotated[Page, allowed(Permission.PAYMENT_WRITE)]
LOOKED_AT = 500
"""Lines whose proposals are worked out at once; the oldest come first."""
AT_ONCE = 50
VIEWS = {"waiting": N_("Waiting"), "confirmed": N_("Booked"), "ignored": N_("Not ours")}
Word = Annotated[str, Query(max_length=100)]


@router.get(WAITING, response_class=HTMLResponse)
def waiting(page: StatementPage, session: ReadSessionDep, after: Word = "") -> Response:
    """Every line that waits, of whichever statement."""
    values = _waiting(page, session, None, path=WAITING, after=after)
    return page.show(
        "statements/show.html",
        **values,
        statement=None,
        progress=Progress(waiting=waiting_lines(session)),
        view="waiting",
        views=VIEWS,
        decided=[],
        who={},
        path=WAITING,
    )


@router.get(HOME + "/{statement_id}", response_class=HTMLResponse)
def show(
    page: StatementPage, session: ReadSessionDep, statement_id: RowId, view: Word = "", after: Word = ""
) -> Response:
    """One statement: what waits of it, what is booked, what is not ours."""
    statement = statement_by_id(session, statement_id)
    progress = progress_of(session, [statement_id])[statement_id]
    if view not in VIEWS:
        view = "waiting" if progress.waiting or not progress.confirmed else "confirmed"
    path = statement_path(statement_id)
    decided: Sequence[Decided] = ()
    if view == "waiting":
        values = _waiting(page, session, statement_id, path=path, after=after)
    else:
        values, decided = _decided(session, statement_id, view, path=path, after=after)
    return page.show(
        "statements/show.html",
        **values,
        statement=statement,
        title=format_title(page, statement.format),
        account=grouped(statement.account),
        progress=progress,
        view=view,
        views=VIEWS,
        decided=decided,
        who=names_of(session, {statement.imported_by, *(one.line.decided_by or "" for one in decided)}),
        path=path,
    )


def _waiting(page: Page, session: Session, statement_id: int | None, *, path: str, after: str) -> dict[str, Any]:
    found = list_lines(session, now=page.now, statement_id=statement_id)
    rows = rows_of(page, islice(found, LOOKED_AT))
    first = min(row_id_of(after) or 0, len(rows))
    shown = rows[first : first + AT_ONCE]
    certain = [row.line for row in rows if row.group == CERTAIN]
    return {
        "groups": [(key, title, [row for row in shown if row.group == key]) for key, title in GROUPS.items()],
        "counts": {key: sum(row.group == key for row in rows) for key in GROUPS},
        "certain": (len(certain), sums_of(certain)),
        "looked_at": len(rows),
        "next_url": f"{path}?view=waiting&after={first + AT_ONCE}" if len(rows) > first + AT_ONCE else None,
    }


def _decided(
    session: Session, statement_id: int, view: str, *, path: str, after: str
) -> tuple[dict[str, Any], Sequence[Decided]]:
    place = _place(after)
    found = decided_lines(session, statement_id, state=view, after=place, limit=AT_ONCE + 1)
    shown = found[:AT_ONCE]
    last = shown[-1].line if len(found) > AT_ONCE else None
    next_url = f"{path}?view={view}&after={pack(last.booked_on.isoformat(), last.id)}" if last else None
    return {"groups": [], "counts": {}, "certain": (0, []), "looked_at": 0, "next_url": next_url}, shown


def _place(after: str) -> tuple[date, int] | None:
    """Where a page of decided lines ended; a word that no page of ours wrote counts as the beginning."""
    read = unpack(after, str, int) if after else None
    try:
        return (date.fromisoformat(read[0]), read[1]) if read and 0 < read[1] <= HIGHEST else None
    except ValueError:
        return None
