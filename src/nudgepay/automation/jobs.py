"""What the jobs do: each one line into a room, and its figures for the ledger."""

from collections import Counter
from contextlib import closing
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from nudgepay import ledger
from nudgepay.access.approvals import expire_overdue, is_any_overdue
from nudgepay.access.sweeping import is_any_left, sweep
from nudgepay.audit.running import audit_keys, seal_log
from nudgepay.audit.sealing import is_sealing_needed
from nudgepay.automation import queue
from nudgepay.automation.context import JobContext
from nudgepay.gateways.mailbox import mailbox_for
from nudgepay.gateways.postfix_log import PostfixLog
from nudgepay.insights.closing import run_closing
from nudgepay.invoices.importing.rows import Defaults
from nudgepay.invoices.owed import fold_totals, is_unfolded
from nudgepay.nudges.cron import forget_signatures
from nudgepay.nudges.mailings.sending import is_any_due, run_mailings
from nudgepay.nudges.mailings.terms import mailing_terms
from nudgepay.nudges.mailings.wishes import is_anything_owed, plan_wishes
from nudgepay.nudges.passes import run_pass
from nudgepay.nudges.promises import settle_promises
from nudgepay.nudges.reading_reports import read_mailbox, read_relay_log
from nudgepay.nudges.reconcile import run_reconcile
from nudgepay.nudges.terms import terms_of
from nudgepay.nudges.unknowns import is_any_unknown
from nudgepay.payments.apply import drain
from nudgepay.payments.inbox import is_waiting
from nudgepay.payments.sweep import run_sweep
from nudgepay.payments.terms import stripe_terms
from nudgepay.payments.uploads.actions import forget_uploads
from nudgepay.payments.uploads.working import is_waiting as is_upload_waiting
from nudgepay.payments.uploads.working import run_uploads
from nudgepay.privacy.expiring import expire
from nudgepay.privacy.terms import retention_years
from nudgepay.readiness.audit_log import check_audit_log

Figures = dict[str, Any]
ROUTINE_DAYS = 90
"""How long the ledger remembers a run that went well."""
MOST_FORGOTTEN = 50_000
LONGEST_WRITER_SECONDS = 45.0


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


def has_overdue_approvals(job: JobContext) -> bool:
    """True when a request is out of time."""
    with job.runtime.db.transaction() as session:
        return is_any_overdue(session)


def run_expire_approvals(job: JobContext) -> Figures:
    """Close requests for a second person whose time is over."""
    with job.runtime.db.transaction() as session:
        return {"expired": expire_overdue(session)}


def has_unknowns(job: JobContext) -> bool:
    """True when a letter is in doubt."""
    with job.runtime.db.transaction() as session:
        return is_any_unknown(session)


def run_reconcile_unknowns(job: JobContext) -> Figures:
    """Ask the relay's record about letters in doubt, also while a long pass is under way."""
    runtime = job.runtime
    grace = runtime.settings.sending_lease_seconds
    return asdict(run_reconcile(runtime.db, receipts=runtime.receipts, now=job.now, grace_seconds=grace))


def has_reports(job: JobContext) -> bool:
    """True when fates of letters can be read somewhere."""
    return job.runtime.settings.secret("bounce_mailbox") is not None or isinstance(job.runtime.receipts, PostfixLog)


def run_read_reports(job: JobContext) -> Figures:
    """Read what came back: bounces and complaints by mail, deliveries in the relay's log."""
    runtime, found = job.runtime, Counter[str]()
    if isinstance(runtime.receipts, PostfixLog):
        found += read_relay_log(runtime.db, runtime.receipts, now=job.now, actor=job.actor)
    address = runtime.settings.secret("bounce_mailbox")
    if address is not None:
        with closing(mailbox_for(address)) as box:
            found += read_mailbox(runtime.db, box, now=job.now, actor=job.actor, should_stop=job.should_stop)
    return dict(found)


def has_mailings(job: JobContext) -> bool:
    """True when a message that is no reminder is owed, due or in doubt."""
    with job.runtime.db.transaction() as session:
        wanted = mailing_terms(job.runtime.settings)
        return is_any_due(session, now=job.now) or is_anything_owed(session, wanted, now=job.now)


def run_send_mailings(job: JobContext) -> Figures:
    """Thank, tell the owner, copy, and send statements."""
    runtime, terms = job.runtime, terms_of(job.runtime.settings)
    wished = plan_wishes(runtime.db, mailing_terms(runtime.settings), terms=terms, now=job.now)
    sent = run_mailings(
        runtime.db,
        transport=runtime.mail,
        receipts=runtime.receipts,
        terms=terms,
        now=job.now,
        should_stop=job.should_stop,
    )
    return {"wished": wished} | dict(sent)


def run_close_months(job: JobContext) -> Figures:
    """Work out the figures of months that have ended."""
    zone = ZoneInfo(job.runtime.settings.business_timezone)
    return {"months": run_closing(job.runtime.db, now=job.now, zone=zone)}


def has_events(job: JobContext) -> bool:
    """True when an event waits to be applied now."""
    with job.runtime.db.transaction() as session:
        return is_waiting(session)


def run_apply_events(job: JobContext) -> Figures:
    """Bring waiting Stripe events into the books."""
    runtime = job.runtime
    return dict(drain(runtime.db, runtime.stripe, terms=stripe_terms(runtime.settings), now=job.now))


def has_stripe(job: JobContext) -> bool:
    """True when this installation takes cards."""
    return job.runtime.stripe is not None


def run_stripe_sweep(job: JobContext) -> Figures:
    """Compare Stripe with the books, both ways."""
    runtime = job.runtime
    if runtime.stripe is None:
        return {}
    return run_sweep(runtime.db, runtime.stripe, terms=stripe_terms(runtime.settings), now=job.now).document()


def run_settle_promises(job: JobContext) -> Figures:
    """Close promises whose day and grace are over."""
    with job.runtime.db.transaction() as session:
        return dict(settle_promises(session, now=job.now))


def has_unfolded(job: JobContext) -> bool:
    """True when sums of what is owed can be drawn together."""
    with job.runtime.db.transaction() as session:
        return is_unfolded(session)


def run_fold_totals(job: JobContext) -> Figures:
    """Draw together what changes of invoices have added to the sums of what is owed."""
    with job.runtime.db.transaction() as session:
        return {"folded": fold_totals(session)}


def has_uploads(job: JobContext) -> bool:
    """True when an uploaded file is to be read or imported."""
    with job.runtime.db.transaction() as session:
        return is_upload_waiting(session)


def run_import_files(job: JobContext) -> Figures:
    """Read or import the uploaded files that nobody has in hand."""
    settings = job.runtime.settings
    defaults = Defaults(settings.business_locale, settings.business_timezone, settings.business_country)
    return dict(run_uploads(job.runtime.db, defaults=defaults, now=job.now, should_stop=job.should_stop))


def run_flag_abandoned(job: JobContext) -> Figures:
    """Tell of runs that were started and never ended."""
    with job.runtime.db.transaction() as session:
        return {"abandoned": ledger.flag_abandoned(session)}


def has_stalled(job: JobContext) -> bool:
    """True when a worker was lost with a job in its hands."""
    with job.runtime.db.transaction() as session:
        return queue.has_stalled(session)


def run_retry_stalled(job: JobContext) -> Figures:
    """Ask again for the jobs of lost workers."""
    with job.runtime.db.transaction() as session:
        return {"lost": queue.retry_stalled(session)}


def has_unsealed(job: JobContext) -> bool:
    """True when records of the audit log wait for their seal."""
    with job.runtime.db.transaction() as session:
        return is_sealing_needed(session, keys=audit_keys(job.runtime.settings))


def run_seal_audit(job: JobContext) -> Figures:
    """Seal what is settled; waits most of a minute for a long transaction, and tries again in the next."""
    done = seal_log(
        job.runtime.db, job.runtime.settings, wait_seconds=LONGEST_WRITER_SECONDS, should_stop=job.should_stop
    )
    return {"records": done.records, "waiting": done.waiting, "shipped": done.shipped}


def run_verify_audit(job: JobContext) -> Figures:
    """Compute the whole chain anew, and tell people when it is broken."""
    verdict = check_audit_log(job.runtime, actor=job.actor)
    return {"checked": verdict.checked, "broken": verdict.first_bad is not None}


def has_sign_ins(job: JobContext) -> bool:
    """True when signing in has left something to clear away."""
    with job.runtime.db.transaction() as session:
        return is_any_left(session, idle_minutes=job.runtime.settings.session_idle_minutes)


def run_sweep_sign_ins(job: JobContext) -> Figures:
    """Count refused sign-ins into the audit log; forget ended sessions, old tries and devices."""
    with job.runtime.db.transaction() as session:
        return dict(sweep(session, idle_minutes=job.runtime.settings.session_idle_minutes))


def run_retention(job: JobContext) -> Figures:
    """Forget what nobody may use again: used signatures, abandoned uploads, and routine runs of long ago."""
    with job.runtime.db.transaction() as session:
        return {
            "signatures": forget_signatures(session),
            "uploads": forget_uploads(session),
            "routine_runs": ledger.forget_routine(session, days=ROUTINE_DAYS, most=MOST_FORGOTTEN),
        }


def run_erase_expired(job: JobContext) -> Figures:
    """Erase what was kept by law of people who were erased, once its term is over."""
    years = retention_years(job.runtime.settings)
    with job.runtime.db.transaction() as session:
        return dict(expire(session, years=years, now=job.now, actor=job.actor))
