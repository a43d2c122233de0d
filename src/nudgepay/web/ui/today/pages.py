"""`/`, and the two lists behind it: `/payments` (what came in) and `/tasks` (what needs a person)."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import HTMLResponse, Response

from nudgepay import audit, ledger
from nudgepay.access.permissions import Permission
from nudgepay.errors import Conflict
from nudgepay.nudges.tasks import list_tasks, open_task
from nudgepay.payments.came_in import came_in_by_day, list_came_in
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.page import Page, Undo, allowed
from nudgepay.web.ui.today.gathering import DAYS, days_of, first_day, gather, today_of
from nudgepay.web.ui.today.kinds import KINDS, in_order, kind_of
from nudgepay.web.ui.today.places import MAX_ID, Place

router = APIRouter()
TodayPage = Annotated[Page, allowed(Permission.TODAY_READ)]
TaskId = Annotated[int, Path(ge=1, le=MAX_ID)]
AT_ONCE = 50
BEGINNING = Place(datetime(1970, 1, 1, tzinfo=UTC), 0)


@router.get("/", response_class=HTMLResponse)
def today(page: TodayPage, session: ReadSessionDep) -> Response:
    """The state of the business on one page."""
    return page.show("today/today.html", **gather(session, page))


@router.get("/payments", response_class=HTMLResponse)
def payments(
    page: Annotated[Page, allowed(Permission.INVOICE_READ)],
    session: ReadSessionDep,
    currency: Annotated[str, Query(max_length=3)] = "",
    after: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """The money of the last days, newest first."""
    days = days_of(page)
    before = Place.read(after) or Place(days[-1], 0)
    shown = list_came_in(
        session, since=days[0], before=(before.at, before.id), currency=currency.upper() or None, limit=AT_ONCE + 1
    )
    sums: dict[str, tuple[int, int]] = {}
    for row in came_in_by_day(session, days=days):
        count, amount = sums.get(row.currency, (0, 0))
        sums[row.currency] = (count + row.payments, amount + row.amount)
    rows = shown[:AT_ONCE]
    return page.show(
        "today/payments.html",
        rows=rows,
        sums=sums,
        currency=currency.upper(),
        days=(first_day(page), today_of(page), DAYS),
        next=Place(rows[-1].occurred_at, rows[-1].id).written if len(shown) > AT_ONCE else None,
    )


@router.get("/tasks", response_class=HTMLResponse)
def tasks(
    page: TodayPage,
    session: ReadSessionDep,
    kind: Annotated[str, Query(max_length=60)] = "",
    after: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """What needs a person, all of it or one kind, oldest first."""
    counts = in_order(ledger.open_notices_by_kind(session))
    behind = Place.read(after) or BEGINNING
    kinds = [kind] if kind else [one.kind for one in counts]
    shown = list_tasks(session, kinds=kinds, after=(behind.at, behind.id), limit=AT_ONCE + 1)
    rows = shown[:AT_ONCE]
    return page.show(
        "today/tasks.html",
        rows=[(row, kind_of(row.kind)) for row in rows],
        counts=[(one, kind_of(one.kind)) for one in counts],
        kind=kind if kind in KINDS or any(one.kind == kind for one in counts) else "",
        next=Place(rows[-1].since, rows[-1].id).written if len(shown) > AT_ONCE else None,
    )


class NotHere(Conflict):
    """The task ends where its matter is settled, or has ended."""


@router.post("/tasks/{task_id}/done")
def done(page: Annotated[Page, allowed(Permission.NOTICE_RESOLVE)], session: SessionDep, task_id: TaskId) -> Response:
    """A person has seen to it."""
    task = open_task(session, task_id)
    if task is None:
        raise NotHere(page.gettext("Somebody else has seen to this already."))
    if kind_of(task.kind).ends != "here":
        raise NotHere(page.gettext("This ends by itself when its matter is settled."))
    ledger.resolve_notice(session, task.dedup_key, actor=page.actor)
    audit.record(session, actor=page.actor, action="notice.resolve", subject=f"notices:{task.id}")
    return page.go("/tasks", told=page.gettext("Done."), undo=Undo(f"/tasks/{task_id}/again", {}))


@router.post("/tasks/{task_id}/again")
def again(
    page: Annotated[Page, allowed(Permission.NOTICE_RESOLVE)], session: SessionDep, task_id: TaskId
) -> Response:
    """It was not done after all."""
    if ledger.reopen_notice(session, task_id):
        audit.record(session, actor=page.actor, action="notice.reopen", subject=f"notices:{task_id}")
    return page.go("/tasks", told=page.gettext("It is on the list again."))
