"""`/operations/jobs`: each job, when it runs and how it went; run now, by handing it to a worker."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from nudgepay.access.operators import names_of
from nudgepay.access.permissions import Permission
from nudgepay.automation.asking import ask_for_job
from nudgepay.automation.history import JobState, job_states, last_runs
from nudgepay.automation.schedule import job_named
from nudgepay.nudges.resuming import Outlook, look_out
from nudgepay.nudges.switch import pause_reason
from nudgepay.nudges.terms import terms_of
from nudgepay.readiness.standing import workers_seen
from nudgepay.web.deps import ReadSessionDep, SessionDep
from nudgepay.web.ui.operations.details import readable
from nudgepay.web.ui.operations.words import JOBS, OUTCOMES, SENDS, TABS, rhythm
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
ReadPage = Annotated[Page, allowed(Permission.OPERATION_READ)]
FIRST_LETTERS = 5
MOST_CLIENTS = 100
"""Looked at for what a run would send; a page is no pass."""


@router.get("/operations/jobs", response_class=HTMLResponse)
def jobs(page: ReadPage, session: ReadSessionDep) -> Response:
    """Every job of the schedule."""
    return page.show(
        "operations/jobs.html",
        tabs=TABS,
        states=job_states(session),
        words=JOBS,
        outcomes=OUTCOMES,
        rhythm=lambda cron: rhythm(page, cron),
        has_worker=_has_worker(session, page),
    )


@router.get("/operations/jobs/{job}", response_class=HTMLResponse)
def job(job: str, page: ReadPage, session: ReadSessionDep) -> Response:
    """One job: its last runs, and what it would do if it ran now. Raises NotFound."""
    found = job_named(job)
    state = job_states(session, (found,))[0]
    runs = last_runs(session, job)
    return page.show(
        "operations/job.html",
        tabs=TABS,
        state=state,
        words=JOBS[job],
        runs=runs,
        outcomes=OUTCOMES,
        readable=readable,
        names=names_of(session, [run.actor for run in runs]),
        rhythm=rhythm(page, found.cron),
        sends=job in SENDS,
        is_watched=_is_watched(state),
        has_worker=_has_worker(session, page),
        paused=pause_reason(session),
        outlook=_outlook(page, session, job),
        first=FIRST_LETTERS,
    )


@router.post("/operations/jobs/{job}/run")
def run_now(job: str, page: Annotated[Page, allowed(Permission.JOB_RUN)], session: SessionDep) -> Response:
    """Put it into the workers' queue, where it waits for one if there is none. Raises NotFound."""
    if ask_for_job(session, job, actor=page.actor):
        told = page.gettext("Asked for. A worker takes it within seconds.")
    else:
        told = page.gettext("It was asked for already and waits for a worker.")
    return page.go(f"/operations/jobs/{job}", told=told)


def _outlook(page: Page, session: Session, job: str) -> Outlook | None:
    """What would leave, for the one job that lets reminders leave."""
    is_refresh = "hx-request" in page.request.headers
    if job != "nudge_pass" or is_refresh or not page.may(Permission.JOB_RUN):
        return None
    terms = terms_of(page.runtime.settings)
    return look_out(session, terms=terms, now=page.now, ahead=timedelta(0), most=MOST_CLIENTS)


def _is_watched(state: JobState) -> bool:
    """True while something is about to change by itself."""
    return state.request is not None or state.is_running


def _has_worker(session: Session, page: Page) -> bool:
    return any(not worker.is_silent for worker in workers_seen(session, now=page.now))
