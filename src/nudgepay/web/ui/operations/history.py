"""`/operations/ledger`: everything that ran, newest first, with its details."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.operators import names_of
from nudgepay.access.permissions import Permission
from nudgepay.automation.history import KINDS as KNOWN_KINDS
from nudgepay.automation.history import OUTCOMES as KNOWN_OUTCOMES
from nudgepay.automation.history import LedgerFilter, ledger_entries
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.cursors import pack, unpack
from nudgepay.web.ui.operations.details import readable
from nudgepay.web.ui.operations.words import JOBS, KINDS, OUTCOMES, RUNS, TABS, run_title
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
PAGE_SIZE = 50


@router.get("/operations/ledger", response_class=HTMLResponse)
def ledger(
    page: Annotated[Page, allowed(Permission.OPERATION_READ)],
    session: ReadSessionDep,
    kind: str = "",
    name: str = "",
    outcome: str = "",
    before: str = "",
) -> Response:
    """A page of runs. What a query cannot mean is left out of it."""
    kept = {
        "kind": kind if kind in KNOWN_KINDS else "",
        "name": name if name in JOBS or name in RUNS else "",
        "outcome": outcome if outcome in KNOWN_OUTCOMES else "",
    }
    behind = unpack(before, int)
    rows = ledger_entries(
        session,
        LedgerFilter(**{key: value or None for key, value in kept.items()}),
        before=behind[0] if behind and 0 <= behind[0] < 2**62 else None,
        limit=PAGE_SIZE + 1,
    )
    shown = rows[:PAGE_SIZE]
    return page.show(
        "operations/ledger.html",
        tabs=TABS,
        rows=shown,
        kept=kept,
        kinds=KINDS,
        outcomes=OUTCOMES,
        runs=[(one, run_title(page, "job", one)) for one in (*JOBS, *RUNS)],
        title=lambda row: run_title(page, row.kind, row.name),
        readable=readable,
        names=names_of(session, [row.actor for row in shown]),
        next_url=_url(kept, before=pack(shown[-1].id)) if len(rows) > PAGE_SIZE else "",
    )


def _url(kept: dict[str, str], **changes: str) -> str:
    return f"/operations/ledger?{urlencode({name: value for name, value in (kept | changes).items() if value})}"
