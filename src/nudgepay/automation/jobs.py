"""What the jobs do: each one line into a room, and its figures for the ledger."""

from typing import Any

from nudgepay.automation.context import JobContext
from nudgepay.ledger import flag_abandoned
from nudgepay.nudges.cron import forget_signatures
from nudgepay.nudges.passes import run_pass
from nudgepay.nudges.promises import settle_promises
from nudgepay.nudges.terms import terms_of
from nudgepay.payments.apply import drain
from nudgepay.payments.inbox import is_waiting
from nudgepay.payments.sweep import run_sweep
from nudgepay.payments.terms import stripe_terms

Figures = dict[str, Any]


def run_nudge_pass(job: JobContext) -> Figures:
    """Plan what came due and send it."""
    runtime = job.runtime
    report = run_pass(
        runtime.db,
        transport=runtime.mail,
        receipts=runtime.receipts,
        terms=terms_of(runtime.settings),
        environment=runtime.settings.environment,
        now=job.now,
        actor=job.actor,
        should_stop=job.should_stop,
    )
    document = report.as_document()
    return {key: value for key, value in document.items() if isinstance(value, int)}


def has_events(job: JobContext) -> bool:
    """True when an event waits to be applied now."""
    with job.runtime.db.transaction() as session:
        return is_waiting(session)


def run_apply_events(job: JobContext) -> Figures:
    """Bring waiting Stripe events into the books."""
    runtime = job.runtime
    return dict(drain(runtime.db, runtime.stripe, terms=stripe_terms(runtime.settings), now=job.now))


def run_stripe_sweep(job: JobContext) -> Figures:
    """Compare Stripe with the books, both ways."""
    runtime = job.runtime
    if runtime.stripe is None:
        return {"skipped": "no Stripe"}
    return run_sweep(runtime.db, runtime.stripe, terms=stripe_terms(runtime.settings), now=job.now).document()


def run_settle_promises(job: JobContext) -> Figures:
    """Close promises whose day and grace are over."""
    with job.runtime.db.transaction() as session:
        return dict(settle_promises(session, now=job.now))


def run_retention(job: JobContext) -> Figures:
    """Forget signatures of the cron hook that are too old to be replayed."""
    with job.runtime.db.transaction() as session:
        return {"forgotten": forget_signatures(session)}


def run_flag_abandoned(job: JobContext) -> Figures:
    """Tell of runs that were started and never ended."""
    with job.runtime.db.transaction() as session:
        return {"abandoned": flag_abandoned(session)}
