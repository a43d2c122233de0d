"""`/amnesty`: imported overdue invoices that wait; what their release would send; the release."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Query
from starlette.responses import HTMLResponse, Response

from nudgepay.access.permissions import Permission
from nudgepay.invoices.actions import release_amnesty
from nudgepay.nudges.amnesty import (
    COUNTED,
    PAGE,
    Release,
    Waiting,
    count_waiting,
    preview_release,
    waiting_ids,
    waiting_invoices,
)
from nudgepay.nudges.preview import Span
from nudgepay.nudges.queries import load_calendar, load_rules
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.page import Page, allowed
from nudgepay.web.ui.row_ids import HIGHEST, row_id_of

router = APIRouter()
ReleasePage = Annotated[Page, allowed(Permission.AMNESTY_RELEASE)]
AHEAD = timedelta(days=7)
MOST_CHOSEN = 500
SHOWN = 25
Chosen = Annotated[list[Annotated[int, Query(ge=1, le=HIGHEST)]], Query(max_length=MOST_CHOSEN)]
Named = Annotated[list[Annotated[int, Form(ge=1, le=HIGHEST)]], Form(max_length=MOST_CHOSEN)]
Text = Annotated[str, Query(max_length=20)]


@router.get("/amnesty", response_class=HTMLResponse)
def waiting(
    page: ReleasePage,
    session: ReadSessionDep,
    client: Text = "",
    imported: Annotated[str, Query(alias="import", max_length=20)] = "",
    after: Text = "",
) -> Response:
    """The invoices that wait, in the order in which they came."""
    which = Waiting(row_id_of(client), row_id_of(imported))
    rows = waiting_invoices(session, which, after=row_id_of(after) or 0)
    more = f"/amnesty?{_query(which)}after={rows[PAGE - 1].id}" if len(rows) > PAGE else None
    return page.show(
        "amnesty/list.html",
        rows=rows[:PAGE],
        count=count_waiting(session, which),
        most=COUNTED,
        which=which,
        next_url=more,
        today=page.now.astimezone(page.zone).date(),
    )


def _query(which: Waiting) -> str:
    parts = (("client", which.client_id), ("import", which.import_id))
    return "".join(f"{name}={value}&" for name, value in parts if value is not None)


@router.get("/amnesty/release", response_class=HTMLResponse)
def preview(
    page: ReleasePage,
    session: ReadSessionDep,
    invoice: Chosen = [],  # noqa: B006  # FastAPI copies it
    everything: Text = "",
    client: Text = "",
    imported: Annotated[str, Query(alias="import", max_length=20)] = "",
) -> Response:
    """What would go out in the next days. Changes nothing."""
    which = Waiting(row_id_of(client), row_id_of(imported))
    ids = waiting_ids(session, which) if everything else invoice
    rules = load_rules(session, page.runtime.settings)
    calendar = load_calendar(page.runtime.settings)
    span = Span(replace(rules, sending_paused=False), calendar, page.now, page.now + AHEAD)
    found = preview_release(session, ids, span)
    return page.show(
        "amnesty/preview.html",
        found=found,
        shown=found.letters[:SHOWN],
        sums=_sums(found),
        is_paused=rules.sending_paused,
        invoices=() if everything else tuple(invoice),
        which=which,
        everything=bool(everything),
        through=max(ids, default=0),
    )


def _sums(found: Release) -> list[tuple[str, int]]:
    sums: Counter[str] = Counter()
    for letter in found.letters:
        sums[letter.currency] += letter.amount
    return sorted(sums.items())


@router.post("/amnesty/release")
def release(
    page: ReleasePage,
    session: SessionDep,
    invoice: Named = [],  # noqa: B006  # FastAPI copies it
    everything: Annotated[str, Form(max_length=20)] = "",
    client: Annotated[str, Form(max_length=20)] = "",
    imported: Annotated[str, Form(alias="import", max_length=20)] = "",
    through: Annotated[int, Form(ge=0, le=HIGHEST)] = 0,
) -> Response:
    """Let them be chased: what was released meanwhile is not counted twice, what came since the preview waits."""
    which = Waiting(row_id_of(client), row_id_of(imported), through)
    ids = waiting_ids(session, which) if everything else invoice
    count = release_amnesty(session, ids, now=page.now, actor=page.actor)
    told = page.ngettext("%(num)s invoice is released.", "%(num)s invoices are released.", count) % {"num": count}
    return page.go("/amnesty", told=told)
