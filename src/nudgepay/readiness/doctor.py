"""The doctor: everything that a running installation depends on, looked at once, each trouble with its cure."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import clock
from nudgepay.config import Settings
from nudgepay.db import DatabaseUnavailable
from nudgepay.errors import NudgePayError
from nudgepay.gateways.dns import Dns
from nudgepay.gateways.mail import MailError, NoReceipts
from nudgepay.gateways.mailbox import MailboxUnavailable, mailbox_for
from nudgepay.gateways.stripe import StripeGateway, StripeKeyRejected
from nudgepay.gateways.transports import probe_transport
from nudgepay.nudges.switch import pause_reason
from nudgepay.readiness.audit_log import audit_findings
from nudgepay.readiness.findings import Finding, Verdict
from nudgepay.readiness.sender import sender_findings
from nudgepay.runtime import Runtime
from nudgepay.schema_lifecycle.revisions import current, misfit
from nudgepay.sentences import said

OLDEST_POSTGRESQL = 15
SILENT_SECONDS = 60
CLOCK_WARNING_SECONDS, CLOCK_FAILURE_SECONDS = 2.0, 30.0
DISK_WARNING_BYTES, DISK_FAILURE_BYTES = 2**30, 100 * 2**20

Late = Callable[[Session], list[str]]


def doctor_findings(runtime: Runtime, *, late: Late) -> Iterator[Finding]:
    """One finding after the other, as they are made; `late` names the queues in which something waits too long."""
    settings = runtime.settings
    try:
        yield from _database(runtime)
        yield from _books(runtime, late)
    except DatabaseUnavailable as error:
        yield Finding("database", "failed", f"cannot be reached ({error})", "Check DATABASE_URL and the server")
    yield from outside_findings(runtime)
    yield _disk(settings)


def outside_findings(runtime: Runtime) -> Iterator[Finding]:
    """What others must do for us: the relay, DNS, the mailbox of bounces, Stripe. Slow: it waits for each of them."""
    settings = runtime.settings
    yield from _relay(runtime)
    if settings.mail_transport == "smtp":
        servers = tuple(part.strip() for part in settings.dns_servers.split(",") if part.strip())
        yield from sender_findings(settings, Dns(servers))
    else:
        cure = said("Set MAIL_TRANSPORT=smtp for real letters")
        yield Finding("sender.dns", "not_checked", said("letters go to files, nobody receives them"), cure)
    yield _bounces(settings)
    yield _stripe(settings, runtime.stripe)


def _database(runtime: Runtime) -> Iterator[Finding]:
    before = clock.now()
    with runtime.db.transaction() as session:
        version = session.scalar(text("SELECT current_setting('server_version_num')::int / 10000")) or 0
        theirs = session.scalars(text("SELECT clock_timestamp()")).one()
    if version < OLDEST_POSTGRESQL:
        cure = f"Upgrade to {OLDEST_POSTGRESQL} or newer"
        yield Finding("database", "failed", f"is PostgreSQL {version}", cure)
    else:
        yield Finding("database", "ok", f"PostgreSQL {version} answers")
    after = clock.now()
    off = max((before - theirs).total_seconds(), (theirs - after).total_seconds(), 0.0)
    verdict: Verdict = "failed" if off > CLOCK_FAILURE_SECONDS else "warning" if off > CLOCK_WARNING_SECONDS else "ok"
    cure = "" if verdict == "ok" else "Let both hosts follow NTP: letters would go at the wrong hour"
    yield Finding("clock", verdict, f"differs from the database's by {off:.1f} s", cure)
    trouble = misfit(runtime.db)
    if trouble is None:
        yield Finding("migrations", "ok", f"the schema is at {current(runtime.db)}")
    else:
        found, _, cure = trouble.partition(": ")
        yield Finding("migrations", "failed", found, cure)


_WORKERS = """
SELECT count(*) FROM procrastinate.procrastinate_workers
 WHERE last_heartbeat > clock_timestamp() - make_interval(secs => :silent)
"""
_COUNTS = """
SELECT (SELECT count(*) FROM letters WHERE state = 'unknown') AS unknown,
       (SELECT count(*) FROM notices WHERE resolved_at IS NULL) AS notices,
       (SELECT count(*) FROM invoices WHERE amnesty_at IS NOT NULL AND status = 'open') AS waiting
"""


def _books(runtime: Runtime, late: Late) -> Iterator[Finding]:
    if misfit(runtime.db) is not None:
        yield Finding("workers", "not_checked", "the schema is not this code's", "nudgepay migrate")
        return
    yield from audit_findings(runtime)
    with runtime.db.transaction() as session:
        workers = session.scalar(text(_WORKERS), {"silent": SILENT_SECONDS}) or 0
        waiting = late(session)
        paused = pause_reason(session)
        counts = session.execute(text(_COUNTS)).one()
    if workers:
        yield Finding("workers", "ok", f"{workers} seen within {SILENT_SECONDS} s")
    else:
        yield Finding("workers", "failed", "none is running: no letter leaves", "nudgepay worker, or nudgepay up")
    if waiting:
        yield Finding(
            "queues", "failed", f"too long in: {', '.join(waiting)}", "nudgepay jobs list; nudgepay notices"
        )
    else:
        yield Finding("queues", "ok", "nothing waits too long")
    if paused is not None:
        yield Finding("sending", "warning", f"is paused: {paused}", "nudgepay plan, then nudgepay sending resume")
    else:
        yield Finding("sending", "ok", "is on")
    yield _counted("letters.unknown", counts.unknown, "letters in doubt", "nudgepay unknown list")
    yield _counted("notices", counts.notices, "things need a person", "nudgepay notices")
    yield _counted("amnesty", counts.waiting, "imported overdue invoices wait", "nudgepay amnesty list")


def _counted(name: str, count: int, what: str, cure: str) -> Finding:
    return Finding(name, "warning", f"{count} {what}", cure) if count else Finding(name, "ok", f"no {what}")


def _relay(runtime: Runtime) -> Iterator[Finding]:
    settings = runtime.settings
    try:
        found = probe_transport(settings)
        yield Finding(
            "sender.relay",
            "ok",
            said("The relay takes letters: %(found)s", found=found) if settings.mail_transport == "smtp" else found,
        )
    except (MailError, NudgePayError) as error:
        cure: str = (
            said("Check the SMTP_ settings and the relay")
            if settings.mail_transport == "smtp"
            else said("Check the directory")
        )
        yield Finding("sender.relay", "failed", str(error), cure)
    if isinstance(runtime.receipts, NoReceipts):
        cure = said("Send through a relay whose log can be read (SMTP_RECEIPTS=postfix:PATH)")
        found = said("acceptance cannot be read back: every letter in doubt needs a person")
        yield Finding("sender.receipts", "warning", found, cure)
    else:
        ok = settings.mail_transport == "outbox" or _log_is_readable(settings)
        cure = "" if ok else said("Let this user read the file that SMTP_RECEIPTS names")
        found = said("acceptance can be read back") if ok else said("the relay's log cannot be read")
        yield Finding("sender.receipts", "ok" if ok else "failed", found, cure)


def _log_is_readable(settings: Settings) -> bool:
    try:
        with Path(settings.smtp_receipts.partition(":")[2]).open("rb"):
            return True
    except OSError:
        return False


def _bounces(settings: Settings) -> Finding:
    address = settings.secret("bounce_mailbox")
    if address is None:
        if settings.secret("mail_webhook_secret") is not None:
            return Finding("bounces", "ok", said("come through POST /webhooks/mail"))
        cure = said("Set BOUNCE_MAILBOX, or MAIL_WEBHOOK_SECRET for your provider's hook")
        return Finding("bounces", "warning", said("are not read: only refusals at once are seen"), cure)
    try:
        with closing(mailbox_for(address)) as box:
            next(iter(box.unread()), None)
    except MailboxUnavailable as error:
        return Finding("bounces", "failed", str(error), said("Check BOUNCE_MAILBOX"))
    return Finding("bounces", "ok", said("the mailbox can be read"))


def _stripe(settings: Settings, gateway: StripeGateway | None) -> Finding:
    if gateway is None:
        return Finding(
            "stripe", "not_checked", said("no key: bank transfer alone"), said("Set STRIPE_SECRET_KEY to take cards")
        )
    try:
        account = gateway.retrieve_account()
    except StripeKeyRejected:
        return Finding("stripe", "failed", said("refuses the key"), said("Set a valid STRIPE_SECRET_KEY"))
    except NudgePayError as error:
        return Finding(
            "stripe", "not_checked", said("could not be asked (%(error)s)", error=error), said("Run it again later")
        )
    if settings.stripe_account is not None and account["id"] != settings.stripe_account:
        return Finding(
            "stripe", "failed", said("the key belongs to another account"), said("Correct STRIPE_ACCOUNT or the key")
        )
    if settings.secret("stripe_webhook_secret") is None:
        cure = said("Add an endpoint for BASE_URL/webhooks/stripe and set STRIPE_WEBHOOK_SECRET")
        return Finding(
            "stripe",
            "warning",
            said("account %(account)s answers, but its events are not taken in", account=account["id"]),
            cure,
        )
    return Finding(
        "stripe", "ok", said("account %(account)s answers, and its events are taken in", account=account["id"])
    )


def _disk(settings: Settings) -> Finding:
    try:
        free = shutil.disk_usage(settings.nudgepay_home).free
    except OSError:
        found = f"NUDGEPAY_HOME ({settings.nudgepay_home}) is not there yet"
        return Finding("disk", "warning", found, "It is made when it is needed; check that its parent may be written")
    verdict: Verdict = "failed" if free < DISK_FAILURE_BYTES else "warning" if free < DISK_WARNING_BYTES else "ok"
    return Finding("disk", verdict, f"{free / 2**30:.1f} GB are free", "" if verdict == "ok" else "Make room")
