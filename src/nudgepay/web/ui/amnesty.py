"""`/amnesty`: imported overdue invoices that wait; what their release would send; the release."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Query
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.acts import BULK_RELEASE, RELEASE_MANY
from nudgepay.access.approvals import approval as approval_of
from nudgepay.access.approvals import consume
from nudgepay.access.permissions import Permission
from nudgepay.access.trust import NotCovered
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
from nudgepay.web.ui.approvals.asking import ask_second_person, ensure_fresh
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
    approval: Annotated[int, Form(ge=0, le=HIGHEST)] = 0,
    reason: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Let them be chased: what was released meanwhile is not counted twice, what came since the preview waits.

    Many at once take a second person; `approval` names the request whose invoices are meant.
    """
    which = Waiting(row_id_of(client), row_id_of(imported), through)
    ids = _asked_for(page, session, approval) if approval else sorted(set(invoice))
    ids = waiting_ids(session, which) if everything and not approval else ids
    if len(ids) > BULK_RELEASE:
        ensure_fresh(page)
        try:
            consume(session, RELEASE_MANY, {"invoices": ids}, by=page.signed)
        except NotCovered:
            return _ask(page, session, ids, which, reason, everything=bool(everything))
    count = release_amnesty(session, ids, now=page.now, actor=page.actor)
    told = page.ngettext("%(num)s invoice is released.", "%(num)s invoices are released.", count) % {"num": count}
    return page.go("/amnesty", told=told)


def _asked_for(page: Page, session: Session, approval_id: int) -> list[int]:
    """The invoices of a request of one's own; none of anybody else's or of another act."""
    found = approval_of(session, approval_id)
    is_own = found.asked_by == page.signed.operator_id and found.act == RELEASE_MANY.name
    return list(found.params["invoices"]) if is_own else []


def _ask(page: Page, session: Session, ids: list[int], which: Waiting, reason: str, *, everything: bool) -> Response:
    fields = [("invoice", str(id_)) for id_ in ids]
    if everything:
        given = {"everything": 1, "through": ids[-1], "client": which.client_id, "import": which.import_id}
        fields = [(name, str(value)) for name, value in given.items() if value is not None]
    return ask_second_person(
        page, session, RELEASE_MANY, {"invoices": ids}, why=reason, path="/amnesty/release", fields=fields
    )
