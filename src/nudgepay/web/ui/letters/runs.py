"""`/runs`: what each pass planned, sent, held and skipped."""

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.nudges.runs import letters_of_run, list_runs, run_record
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.cursors import pack, unpack
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
PAGE_SIZE = 50
MOST_LETTERS = 200
RunPage = Annotated[Page, allowed(Permission.LETTER_READ)]


@router.get("/runs", response_class=HTMLResponse)
def runs(
    page: RunPage,
    session: ReadSessionDep,
    idle: str = "",
    after: str = "",
) -> Response:
    """The passes that did something; idle ones on request."""
    behind = unpack(after, datetime, uuid.UUID)
    rows = list_runs(session, with_idle=bool(idle), limit=PAGE_SIZE + 1, after=behind)
    shown = rows[:PAGE_SIZE]
    query = "idle=yes&" if idle else ""
    next_url = f"/runs?{query}after={pack(shown[-1].started_at, shown[-1].id)}" if len(rows) > PAGE_SIZE else ""
    return page.show("runs/list.html", rows=shown, next_url=next_url, idle=bool(idle))


@router.get("/runs/{run_id}", response_class=HTMLResponse)
def run(run_id: uuid.UUID, page: RunPage, session: ReadSessionDep) -> Response:
    """One pass: its letters, and why the rest stayed silent."""
    found = run_record(session, run_id)
    letters = letters_of_run(session, run_id, limit=MOST_LETTERS)
    return page.show("runs/run.html", run=found, letters=letters, most=MOST_LETTERS)
