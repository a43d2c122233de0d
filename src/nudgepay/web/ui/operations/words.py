"""Words for the machinery: queues, jobs, kinds of runs and how they ended."""

import re

from nudgepay.web.ui.page import Page
from nudgepay.web.ui.words import N_

TABS = (
    ("/operations", N_("Overview")),
    ("/operations/notices", N_("Notices")),
    ("/operations/jobs", N_("Jobs")),
    ("/operations/ledger", N_("Ledger")),
    ("/operations/sending", N_("Sending")),
)
QUEUES: dict[str, tuple[str, str, str]] = {
    "planning": (N_("To be planned"), N_("Invoices whose next step has come"), "/plan"),
    "reminders": (N_("To be sent"), N_("Reminders that are due; held ones are looked at again and again"), "/plan"),
    "stripe_events": (N_("Stripe events"), N_("What Stripe told and is not in the books yet"), "/settings/stripe"),
    "unknown_letters": (N_("Letters in doubt"), N_("They may or may not have left"), "/letters?state=unknown"),
    "notices": (N_("Notices"), N_("What needs a person"), "/operations/notices"),
}
"""Of each queue: its title, what waits in it, and where that is listed."""
JOBS: dict[str, tuple[str, str, str]] = {
    "sweep_sign_ins": (
        N_("Clear away after signing in"),
        N_("Writes down how many sign-ins were refused; forgets ended sessions and old tries."),
        N_("At most 10,000 rows of each kind."),
    ),
    "nudge_pass": (
        N_("Send reminders"),
        N_("Plans what came due and sends it. Letters leave."),
        N_("What is due: a letter's time at the relay each; an idle pass some milliseconds."),
    ),
    "reconcile_unknowns": (
        N_("Settle doubt"),
        N_("Asks the relay's record about letters in doubt."),
        N_("A look into the record for each letter in doubt."),
    ),
    "read_reports": (
        N_("Read what came back"),
        N_("Reads bounces, complaints and deliveries."),
        N_("Up to 200 messages of the mailbox, and the relay's log while young letters have no fate."),
    ),
    "send_mailings": (
        N_("Send other messages"),
        N_("Thanks, tells you, copies, and sends statements. Messages leave."),
        N_("A letter's time at the relay each, at most 500."),
    ),
    "apply_events": (
        N_("Book Stripe's events"),
        N_("Brings what Stripe told into the books."),
        N_("A transaction for each event; a call to Stripe for a refund or dispute."),
    ),
    "stripe_sweep": (
        N_("Compare with Stripe"),
        N_("Compares Stripe with the books, both ways."),
        N_("Up to 750 calls to Stripe, as much as has changed since the last comparison."),
    ),
    "settle_promises": (
        N_("Judge promises"),
        N_("Closes promises whose day is over."),
        N_("The promises that end now."),
    ),
    "expire_approvals": (
        N_("Close old requests"),
        N_("Closes requests for a second person whose time is over."),
        N_("Nothing worth naming."),
    ),
    "retry_stalled": (
        N_("Help lost workers"),
        N_("Asks again for what a lost worker had in hand."),
        N_("Nothing worth naming."),
    ),
    "fold_totals": (
        N_("Draw sums together"),
        N_("Keeps the sums of what is owed short, so that Today stays quick."),
        N_("The rows that changes of invoices added since the last time."),
    ),
    "import_files": (
        N_("Import uploaded files"),
        N_("Reads and imports the files that people have uploaded."),
        N_("Half a minute of one processor for 50,000 rows."),
    ),
    "seal_audit": (
        N_("Seal the audit log"),
        N_("Brings new records into the chain that shows every change."),
        N_("A tenth of a millisecond for each new record."),
    ),
    "verify_audit": (
        N_("Verify the audit log"),
        N_("Computes the whole chain anew, and tells you when it is broken."),
        N_("Reads the whole log once: a minute or two for each million records."),
    ),
    "close_months": (
        N_("Close months"),
        N_("Works out the figures of months that have ended, for the insights."),
        N_("One look; after a month's end a scan of the books."),
    ),
    "flag_abandoned": (
        N_("Find broken runs"),
        N_("Tells of runs that began and never ended."),
        N_("Nothing worth naming."),
    ),
    "erase_expired": (
        N_("Erase what is past its term"),
        N_("Erases what the law kept of erased people, once its years are over."),
        N_("A look at the books of people who were erased."),
    ),
    "retention": (
        N_("Forget"),
        N_("Deletes what nobody may use again: used signatures, and routine runs of long ago."),
        N_("At most 50,000 rows deleted."),
    ),
}
"""Of each job: its title, what it does, and what it may cost."""
SENDS = frozenset({"nudge_pass", "send_mailings"})
"""Jobs that let something leave."""
KINDS: dict[str, str] = {
    "job": N_("Job"),
    "drill": N_("Drill"),
    "check": N_("Check"),
    "act": N_("Act on many at once"),
}
RUNS: dict[str, str] = {
    "cutover": N_("Rehearsal of the cut-over"),
    "outside": N_("Look at the outside"),
    "invoices.pause": N_("Invoices paused"),
    "invoices.resume": N_("Pauses of invoices ended"),
    "invoices.reminders_off": N_("Reminders of invoices switched off"),
    "invoices.reminders_on": N_("Reminders of invoices switched on"),
    "invoices.release": N_("Imported invoices released"),
    "invoices.void": N_("Invoices voided"),
    "schedules.assign": N_("A schedule given to clients and invoices"),
    "audit": N_("Proof of the audit log"),
}
OUTCOMES: dict[str, tuple[str, str]] = {
    "done": ("ok", N_("Done")),
    "failed": ("bad", N_("Failed")),
    "abandoned": ("bad", N_("Never ended")),
    "busy": ("", N_("Another was at it")),
    "running": ("info", N_("Under way")),
}
"""Tone and word of a run's end."""
_DAILY = re.compile(r"(\d+) (\d+) \* \* \* 0")
_MINUTES = re.compile(r"\*/(\d+) \* \* \* \* \d+")
_SECONDS = re.compile(r"\* \* \* \* \* \*/(\d+)")
_EACH_MINUTE = re.compile(r"\* \* \* \* \* \d+")


def run_title(page: Page, kind: str, name: str) -> str:
    """What a run is called."""
    known = JOBS[name][0] if kind == "job" and name in JOBS else RUNS.get(name)
    return page.gettext(known) if known else name


def rhythm(page: Page, cron: str) -> str:
    """When a job runs, in words."""
    if _EACH_MINUTE.fullmatch(cron):
        return page.gettext("every minute")
    for pattern, one, many in (
        (_MINUTES, N_("every minute"), page.gettext("every %(count)s minutes")),
        (_SECONDS, N_("every second"), page.gettext("every %(count)s seconds")),
    ):
        found = pattern.fullmatch(cron)
        if found:
            return page.gettext(one) if found[1] == "1" else many % {"count": found[1]}
    found = _DAILY.fullmatch(cron)
    if found:
        return page.gettext("every day at %(time)s UTC") % {"time": f"{int(found[2]):02}:{int(found[1]):02}"}
    return cron
