"""Every periodic job on one page. Each may run late, twice or not at all: the rows know what is still to do."""

from collections.abc import Callable
from dataclasses import dataclass

from nudgepay.automation import jobs
from nudgepay.automation.context import JobContext
from nudgepay.errors import NotFound


@dataclass(frozen=True, slots=True)
class Job:
    """A job, when it runs (cron with a field for seconds at the end, UTC) and what it is for.

    One that `is_needed` denies leaves no entry: a look every few seconds is no run.
    """

    name: str
    cron: str
    run: Callable[[JobContext], jobs.Figures]
    purpose: str
    is_needed: Callable[[JobContext], bool] = lambda job: True


SCHEDULE: tuple[Job, ...] = (
    Job("nudge_pass", "* * * * * 0", jobs.run_nudge_pass, "Plan what came due and send it"),
    Job(
        "apply_events",
        "* * * * * */5",
        jobs.run_apply_events,
        "Bring Stripe's events into the books",
        jobs.has_events,
    ),
    Job("stripe_sweep", "*/10 * * * * 20", jobs.run_stripe_sweep, "Compare Stripe with the books, both ways"),
    Job("settle_promises", "*/15 * * * * 30", jobs.run_settle_promises, "Close promises whose day is over"),
    Job("flag_abandoned", "*/10 * * * * 40", jobs.run_flag_abandoned, "Tell of runs that never ended"),
    Job("retention", "17 3 * * * 0", jobs.run_retention, "Forget what nobody may use again"),
)


def job_named(name: str) -> Job:
    """The job with this name; raises NotFound."""
    found = next((job for job in SCHEDULE if job.name == name), None)
    if found is None:
        raise NotFound(f"there is no job {name!r}; jobs are {', '.join(job.name for job in SCHEDULE)}")
    return found
