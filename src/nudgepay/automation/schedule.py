"""Every periodic job on one page. Each may run late, twice or not at all: the rows know what is still to do."""

from collections.abc import Callable
from dataclasses import dataclass

from nudgepay.automation import jobs
from nudgepay.automation.context import JobContext
from nudgepay.errors import NotFound


@dataclass(frozen=True, slots=True)
class Job:
    """A job, when it runs (cron with a field for seconds at the end, UTC), what it is for and what it may cost.

    One that `is_needed` denies leaves no entry: a look every few seconds is no run.
    """

    name: str
    cron: str
    run: Callable[[JobContext], jobs.Figures]
    purpose: str
    cost: str = "nothing worth naming"
    is_needed: Callable[[JobContext], bool] = lambda job: True


SCHEDULE: tuple[Job, ...] = (
    Job(
        "nudge_pass",
        "* * * * * 0",
        jobs.run_nudge_pass,
        "Plan what came due and send it",
        "what is due: a letter's time at the relay each; an idle pass some milliseconds",
    ),
    Job(
        "reconcile_unknowns",
        "* * * * * 30",
        jobs.run_reconcile_unknowns,
        "Ask the relay's record about letters in doubt",
        "a look into the record for each letter in doubt",
        jobs.has_unknowns,
    ),
    Job(
        "read_reports",
        "*/2 * * * * 15",
        jobs.run_read_reports,
        "Read what came back: bounces, complaints, deliveries",
        "up to 200 messages of the mailbox; the relay's log, while letters of the last six days have no fate",
        jobs.has_reports,
    ),
    Job(
        "send_mailings",
        "* * * * * 40",
        jobs.run_send_mailings,
        "Thank, tell the owner, copy, and send statements",
        "a letter's time at the relay each, at most 500; a digest looks at what is due within a day",
        jobs.has_mailings,
    ),
    Job(
        "apply_events",
        "* * * * * */5",
        jobs.run_apply_events,
        "Bring Stripe's events into the books",
        "a transaction for each event; a call to Stripe for a refund or dispute",
        jobs.has_events,
    ),
    Job(
        "stripe_sweep",
        "*/10 * * * * 20",
        jobs.run_stripe_sweep,
        "Compare Stripe with the books, both ways",
        "a page of events and sessions since the last sweep, 50 of open invoices, up to 750 single calls to Stripe",
        jobs.has_stripe,
    ),
    Job(
        "settle_promises",
        "*/15 * * * * 30",
        jobs.run_settle_promises,
        "Close promises whose day is over",
        "the promises that end now",
    ),
    Job(
        "fold_totals",
        "*/5 * * * * 50",
        jobs.run_fold_totals,
        "Draw the sums of what is owed together",
        "the rows that changes of invoices added since the last time",
        jobs.has_unfolded,
    ),
    Job(
        "retry_stalled",
        "* * * * * 45",
        jobs.run_retry_stalled,
        "Ask again for the jobs of lost workers",
        is_needed=jobs.has_stalled,
    ),
    Job(
        "import_files",
        "* * * * * */10",
        jobs.run_import_files,
        "Read and import uploaded files",
        "half a minute of one processor for 50,000 rows; one transaction for the whole file",
        jobs.has_uploads,
    ),
    Job(
        "expire_approvals",
        "*/5 * * * * 35",
        jobs.run_expire_approvals,
        "Close requests for a second person whose time is over",
        is_needed=jobs.has_overdue_approvals,
    ),
    Job("flag_abandoned", "*/10 * * * * 40", jobs.run_flag_abandoned, "Tell of runs that never ended"),
    Job(
        "seal_audit",
        "* * * * * 55",
        jobs.run_seal_audit,
        "Seal new records of the audit log",
        "a tenth of a millisecond for each new record; waits while a transaction that writes the log is open",
        jobs.has_unsealed,
    ),
    Job(
        "verify_audit",
        "23 4 * * * 0",
        jobs.run_verify_audit,
        "Compute the chain of the audit log anew",
        "reads the whole log once: a minute or two for each million records",
    ),
    Job(
        "sweep_sign_ins",
        "*/5 * * * * 55",
        jobs.run_sweep_sign_ins,
        "Count refused sign-ins into the audit log, forget ended sessions",
        "at most 10,000 rows of each kind",
        jobs.has_sign_ins,
    ),
    Job(
        "close_months",
        "41 2 * * * 0",
        jobs.run_close_months,
        "Work out the figures of months that have ended",
        "one look; in a night after a month's end, a scan of the books for each month, 24 at most",
    ),
    Job(
        "erase_expired",
        "29 3 * * * 0",
        jobs.run_erase_expired,
        "Erase what the law kept of erased people, past its term",
        "a look at the invoices and bookings of people who were erased",
    ),
    Job(
        "retention",
        "17 3 * * * 0",
        jobs.run_retention,
        "Forget what nobody may use again",
        "at most 50,000 rows deleted",
    ),
)


def job_named(name: str) -> Job:
    """The job with this name; raises NotFound."""
    found = next((job for job in SCHEDULE if job.name == name), None)
    if found is None:
        raise NotFound(f"there is no job {name!r}; jobs are {', '.join(job.name for job in SCHEDULE)}")
    return found
