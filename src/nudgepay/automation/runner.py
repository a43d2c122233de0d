"""One run of a job: an entry before the work, an entry after it, whatever happens; trouble that lasts is told."""

from contextlib import suppress

from nudgepay import clock, ledger, log, metrics
from nudgepay.audit import acting_from
from nudgepay.automation.context import JobContext
from nudgepay.automation.jobs import Figures
from nudgepay.automation.schedule import Job
from nudgepay.db import DatabaseUnavailable
from nudgepay.errors import Busy, OperationalError

TOLD_AFTER = 3
"""Failures in a row after which trouble outside is told to people; a bug is told at once."""
_log = log.get("automation")


def run_job(job: Job, context: JobContext) -> Figures:
    """Run it if it is needed; raises what the work raises, after it was written down.

    Busy is no failure: somebody else does the work; its entry ends as `busy`.
    """
    with acting_from(f"job:{job.name}"):
        return _run(job, context)


def _run(job: Job, context: JobContext) -> Figures:
    if not job.is_needed(context):
        metrics.automation_jobs.labels(job=job.name, status="idle").inc()
        metrics.automation_last_success.labels(job=job.name).set(clock.now().timestamp())
        return {}
    busy: Busy | None = None
    with ledger.execution(context.runtime.db, kind="job", name=job.name, actor=context.actor) as details:
        try:
            figures = job.run(context)
            details.update(figures)
        except Busy as error:
            busy, details["outcome"] = error, "busy"
    if busy is not None:
        raise busy
    with context.runtime.db.transaction() as session:
        for kind in ("job.failed", "job.abandoned"):
            ledger.resolve_notice(session, f"{kind}:{job.name}", actor=context.actor)
    return figures


def run_job_safely(job: Job, context: JobContext) -> bool:
    """Run it for the worker: trouble is logged, counted and told, and ends no worker. True when it went well."""
    try:
        run_job(job, context)
    except Busy:
        return True
    except OperationalError as error:
        _log.warning("job_failed", job=job.name, error=type(error).__name__, message=str(error))
        _tell(job, context, error, after=TOLD_AFTER)
    except Exception as error:  # noqa: BLE001  # whatever one job raises, the worker goes on
        _log.exception("job_broke", job=job.name, error=type(error).__name__)
        _tell(job, context, error, after=1)
    else:
        return True
    return False


def _tell(job: Job, context: JobContext, error: Exception, *, after: int) -> None:
    with suppress(DatabaseUnavailable), context.runtime.db.independent() as session:
        if ledger.failures_in_a_row(session, job.name, most=after) >= after:
            details = {"job": job.name, "error": type(error).__name__}
            ledger.notice(session, "job.failed", f"job.failed:{job.name}", details)
