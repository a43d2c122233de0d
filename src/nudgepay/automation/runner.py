"""One run of a job: an entry before the work, an entry after it, whatever happens."""

from nudgepay import ledger, log
from nudgepay.automation.context import JobContext
from nudgepay.automation.jobs import Figures
from nudgepay.automation.schedule import Job
from nudgepay.errors import Busy, OperationalError

_log = log.get("automation")


def run_job(job: Job, context: JobContext) -> Figures:
    """Run it if it is needed; raises what the work raises, after it was written down."""
    if not job.is_needed(context):
        return {}
    with ledger.execution(context.runtime.db, kind="job", name=job.name, actor=context.actor) as details:
        figures = job.run(context)
        details.update(figures)
    return figures


def run_job_safely(job: Job, context: JobContext) -> bool:
    """Run it for the worker: trouble is logged and counted, and never ends the worker. True when it went well."""
    try:
        run_job(job, context)
    except Busy:
        return True
    except OperationalError as error:
        _log.warning("job_failed", job=job.name, error=type(error).__name__, message=str(error))
    except Exception as error:  # noqa: BLE001  # whatever one job raises, the worker goes on
        _log.exception("job_broke", job=job.name, error=type(error).__name__)
    else:
        return True
    return False
