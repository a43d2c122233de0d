"""`/operations`: is everything running, what waits, and for how long?"""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from nudgepay.access.operators import names_of
from nudgepay.access.permissions import Permission
from nudgepay.automation import notices as tasks
from nudgepay.automation.backlog import CAP, late_queues, read_backlog
from nudgepay.automation.history import job_states
from nudgepay.nudges.switch import read_switch
from nudgepay.readiness.standing import read_standing, workers_seen
from nudgepay.web.deps import ReadSessionDep
from nudgepay.web.ui.operations.notice_words import NOTICES, UNKNOWN
from nudgepay.web.ui.operations.words import JOBS, OUTCOMES, QUEUES, TABS
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
MOST_KINDS = 8
TONES = ("bad", "warn", "info")
TROUBLED = frozenset({"failed", "abandoned"})


@router.get("/operations", response_class=HTMLResponse)
def overview(page: Annotated[Page, allowed(Permission.OPERATION_READ)], session: ReadSessionDep) -> Response:
    """One screen, from our own rows alone."""
    settings = page.runtime.settings
    patience = timedelta(minutes=settings.ready_backlog_minutes)
    switch = read_switch(session)
    counts = tasks.notice_counts(session)
    states = job_states(session)
    return page.show(
        "operations/overview.html",
        tabs=TABS,
        switch=switch,
        names=names_of(session, [switch.changed_by] if switch else []),
        workers=workers_seen(session, now=page.now),
        queues=[(one, timedelta(seconds=one.oldest_seconds)) for one in read_backlog(session)],
        late=late_queues(session, patience=patience),
        patience=settings.ready_backlog_minutes,
        queue_words=QUEUES,
        cap=CAP,
        notices=sum(counts.values()),
        notice_cap=tasks.CAP,
        kinds=sorted(counts.items(), key=_by_weight)[:MOST_KINDS],
        notice_words=NOTICES,
        unknown=UNKNOWN,
        troubled=[state for state in states if state.outcome in TROUBLED],
        job_words=JOBS,
        outcomes=OUTCOMES,
        standing=read_standing(session),
    )


def _by_weight(item: tuple[str, int]) -> tuple[int, int]:
    kind, count = item
    return TONES.index(NOTICES.get(kind, UNKNOWN).tone), -count
