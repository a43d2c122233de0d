"""The cut-over, rehearsed on a server of its own: the first import, what would go out, the release, the way back.

Nothing leaves, and the live database is not touched: letters go to files, rows into a scratch database.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from nudgepay.config import Settings
from nudgepay.db import Database
from nudgepay.gateways.outbox import Outbox
from nudgepay.invoices.actions import release_amnesty
from nudgepay.nudges.facts import Rules
from nudgepay.nudges.mailings.sending import run_mailings
from nudgepay.nudges.mailings.terms import mailing_terms
from nudgepay.nudges.mailings.wishes import plan_wishes
from nudgepay.nudges.passes import PassReport, run_pass
from nudgepay.nudges.preview import Foreseen, Span, foresee
from nudgepay.nudges.switch import ensure_switch, is_paused, pause_sending, resume_sending
from nudgepay.nudges.terms import terms_of
from nudgepay.payments.importing import ImportReport

ACTOR = "drill:cutover"
PRODUCTION = "production"
AHEAD = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the drill: what was to hold, what was found. A stage that fails ends the drill."""

    name: str
    ok: bool
    found: str
    figures: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """For `--json` and the ledger."""
        return {"stage": self.name, "ok": self.ok, "found": self.found, **self.figures}


@dataclass(slots=True)
class Rehearsal:
    """The scratch installation: its database, and the directory into which its letters go."""

    db: Database
    settings: Settings
    outbox: Path
    load: Callable[[Database], ImportReport]
    now: datetime

    def run(self, at: datetime) -> PassReport:
        """One real pass at a business instant."""
        return run_pass(
            self.db,
            transport=Outbox(self.outbox),
            receipts=Outbox(self.outbox),
            terms=terms_of(self.settings),
            environment=PRODUCTION,
            now=at,
            actor=ACTOR,
        )

    def plan(self) -> list[Foreseen]:
        """What the next 60 days bring if nothing is paused."""
        terms = terms_of(self.settings)
        rules: Rules = replace(terms.rules, sending_paused=False)
        with self.db.transaction() as session:
            return list(foresee(session, Span(rules, terms.calendar, self.now, self.now + AHEAD)))


def rehearse_cutover(drill: Rehearsal) -> Iterator[Stage]:
    """Every stage in order, until one fails."""
    for stage in (_paused, _import, _again, _amnesty, _shadow_plan, _first_letters, _release, _way_back):
        found = stage(drill)
        yield found
        if not found.ok:
            return


def _paused(drill: Rehearsal) -> Stage:
    with drill.db.transaction() as session:
        ensure_switch(session, environment=PRODUCTION, actor=ACTOR)
        paused = is_paused(session)
    return Stage("paused", paused, "a first start begins paused" if paused else "sending began switched on")


def _import(drill: Rehearsal) -> Stage:
    report = drill.load(drill.db)
    if report.errors:
        first = report.errors[0]
        found = f"{len(report.errors)} faults; line {first.line}, {first.column}: {first.message}"
        return Stage("import", False, found, {"errors": [fault.document() for fault in report.errors[:100]]})
    found = f"{report.rows} rows: {report.created} invoices, {report.waiting} of them overdue"
    return Stage("import", report.created > 0, found, {"created": report.created, "waiting": report.waiting})


def _again(drill: Rehearsal) -> Stage:
    report = drill.load(drill.db)
    same = not (report.created or report.updated or report.errors)
    found = "the same file again changes nothing" if same else "the same file again changed something"
    return Stage("import again", same, found, {"created": report.created, "updated": report.updated})


def _amnesty(drill: Rehearsal) -> Stage:
    with drill.db.transaction() as session:
        row = session.execute(text(_OVERDUE), {"today": drill.now.date()}).one()
    sent = drill.run(_next_hours(drill)).sending.counts["accepted"]
    ok = row.waiting == row.overdue and sent == 0
    found = f"{row.waiting} of {row.overdue} overdue invoices wait; a pass sent {sent} letters"
    return Stage("amnesty", ok, found, {"overdue": row.overdue, "waiting": row.waiting, "sent": sent})


_OVERDUE = """
SELECT count(*) FILTER (WHERE amnesty_at IS NOT NULL) AS waiting, count(*) AS overdue
  FROM invoices WHERE status = 'open' AND due_on < :today
"""


def _shadow_plan(drill: Rehearsal) -> Stage:
    plan = drill.plan()
    letters = {(line.client_id, line.currency, line.decision.at) for line in plan if line.decision.action == "send"}
    days = Counter(at.date() for _, _, at in letters)
    busiest = max(days.items(), key=lambda item: item[1], default=(None, 0))
    holds = Counter(line.decision.reason for line in plan if line.decision.action == "hold")
    found = f"{len(letters)} letters in 60 days without the released ones, at most {busiest[1]} on one day"
    figures = {"letters": len(letters), "busiest_day": busiest[1], "held": {str(key): n for key, n in holds.items()}}
    return Stage("shadow plan", True, found, figures)


def _first_letters(drill: Rehearsal) -> Stage:
    with drill.db.transaction() as session:
        resume_sending(session, environment=PRODUCTION, actor=ACTOR, reason="rehearsal")
    at = _next_hours(drill)
    report = drill.run(at)
    wanted = mailing_terms(drill.settings)
    terms = terms_of(drill.settings)
    own = replace(wanted, thanks=False, digest_at=None)
    made = plan_wishes(drill.db, own, terms=terms, now=at)
    copied = run_mailings(
        drill.db, transport=Outbox(drill.outbox), receipts=Outbox(drill.outbox), terms=terms, now=at
    )["accepted"]
    sent = report.sending.counts["accepted"]
    ok = copied == made == min(sent, wanted.copies) and _too_close(drill) == 0
    where = f"copied to {wanted.copies_to}" if wanted.copies else "COPY_FIRST_LETTERS is 0: none is copied to you"
    return Stage("first letters", ok, f"{sent} letters, {copied} {where}", {"sent": sent, "copied": copied})


def _release(drill: Rehearsal) -> Stage:
    with drill.db.transaction() as session:
        ids = list(session.scalars(text("SELECT id FROM invoices WHERE amnesty_at IS NOT NULL AND status = 'open'")))
        released = release_amnesty(session, ids, now=drill.now, actor=ACTOR)
    before = _letters(drill)
    at = _next_hours(drill, after=timedelta(days=terms_of(drill.settings).rules.contact_gap_days))
    drill.run(at)
    sent, close = _letters(drill) - before, _too_close(drill)
    found = f"{released} invoices released: {sent} letters go, {close} too close to another one"
    return Stage("release", close == 0, found, {"released": released, "sent": sent, "too_close": close})


def _way_back(drill: Rehearsal) -> Stage:
    with drill.db.transaction() as session:
        pause_sending(session, reason="rehearsal: the way back", environment=PRODUCTION, actor=ACTOR)
    before = _letters(drill)
    later = _next_hours(drill, after=timedelta(days=14))
    drill.run(later)
    during = _letters(drill) - before
    waiting = _waiting(drill)
    with drill.db.transaction() as session:
        resume_sending(session, environment=PRODUCTION, actor=ACTOR)
    drill.run(later)
    after = _letters(drill) - before
    lost = _waiting_for_the_switch(drill)
    found = (
        f"paused: {during} letters leave, {waiting} reminders wait; switched on again: {after} go, {lost} are stuck"
    )
    return Stage("way back", during == 0 and lost == 0, found, {"while_paused": during, "after": after, "lost": lost})


def _next_hours(drill: Rehearsal, *, after: timedelta = timedelta()) -> datetime:
    """Noon of the next working day of the business: every European client is within its hours, others wait."""
    terms, settings = terms_of(drill.settings), drill.settings
    opening = terms.calendar.opening(
        (drill.now + after + timedelta(days=1)).date(), settings.business_country, settings.business_timezone
    )
    return opening + timedelta(hours=3)


def _letters(drill: Rehearsal) -> int:
    with drill.db.transaction() as session:
        return int(session.scalar(text("SELECT count(*) FROM letters WHERE state = 'accepted'")) or 0)


def _too_close(drill: Rehearsal) -> int:
    """Letters to one address that keep no distance: two of one pass to one client in one currency, or of two passes
    within the contact gap."""
    gap = terms_of(drill.settings).rules.contact_gap_days
    with drill.db.transaction() as session:
        return int(session.scalar(text(_CLOSE), {"gap": gap}) or 0)


_CLOSE = """
SELECT count(*) FROM letters a JOIN letters b ON b.to_address = a.to_address AND b.id > a.id
 WHERE a.state = 'accepted' AND b.state = 'accepted'
   AND CASE WHEN a.run_id = b.run_id THEN a.client_id = b.client_id AND a.currency = b.currency
            ELSE abs(a.sending_at::date - b.sending_at::date) < :gap END
"""


def _waiting(drill: Rehearsal) -> int:
    with drill.db.transaction() as session:
        return int(session.scalar(text("SELECT count(*) FROM reminders WHERE state = 'planned'")) or 0)


def _waiting_for_the_switch(drill: Rehearsal) -> int:
    query = "SELECT count(*) FROM reminders WHERE state = 'planned' AND held_reason = 'sending_paused'"
    with drill.db.transaction() as session:
        return int(session.scalar(text(query)) or 0)
