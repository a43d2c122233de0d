"""`/letters`: every letter, newest first, by state, client and address."""

import uuid
from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.invoices.models import Client
from nudgepay.nudges.letters import LETTER_STATES, count_by_state, list_letters
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.cursors import pack, unpack
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.words import N_

router = APIRouter()
PAGE_SIZE = 50
CAP = 100
TROUBLE = ("unknown", "failed", "bounced", "complained")
VIEWS = (
    ("", N_("All")),
    ("unknown", N_("Unknown")),
    ("failed", N_("Failed")),
    ("bounced", N_("Bounced")),
    ("complained", N_("Called spam")),
    ("planned", N_("To be tried again")),
    ("accepted", N_("Accepted")),
    ("delivered", N_("Delivered")),
)


@router.get("/letters", response_class=HTMLResponse)
def letters(
    page: Annotated[Page, allowed(Permission.LETTER_READ)],
    session: ReadSessionDep,
    state: str = "",
    client: str = "",
    q: str = "",
    after: str = "",
) -> Response:
    """A page of letters. What a query cannot mean is left out of it."""
    known = state if state in LETTER_STATES else ""
    chosen = session.get(Client, int(client)) if client.isdecimal() and int(client) < 2**62 else None
    rows = list_letters(
        session,
        state=known or None,
        client_id=chosen.id if chosen else None,
        to=q.strip()[:254] or None,
        after=unpack(after, datetime, uuid.UUID),
        limit=PAGE_SIZE + 1,
    )
    kept = {"state": known, "client": str(chosen.id) if chosen else "", "q": q.strip()[:254]}
    return page.show(
        "letters/list.html",
        rows=rows[:PAGE_SIZE],
        next_url=_next_url(kept, rows),
        views=VIEWS,
        counts=count_by_state(session, TROUBLE, cap=CAP),
        cap=CAP,
        kept=kept,
        client=chosen,
        url=_url,
    )


def _next_url(kept: dict[str, str], rows: list[dict[str, object]]) -> str:
    if len(rows) <= PAGE_SIZE:
        return ""
    last = rows[PAGE_SIZE - 1]
    return _url(kept, after=pack(last["sending_at"], str(last["letter_id"])))  # type: ignore[arg-type]


def _url(kept: dict[str, str], **changes: str) -> str:
    query = urlencode({name: value for name, value in (kept | changes).items() if value})
    return f"/letters?{query}" if query else "/letters"
