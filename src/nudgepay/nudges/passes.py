"""One pass: lost leases, doubt, planning, sending; written down as a run."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.db import Database
from nudgepay.errors import Busy
from nudgepay.gateways.mail import AcceptanceSource, MailTransport
from nudgepay.nudges.claiming import expire_leases
from nudgepay.nudges.handing import Moment
from nudgepay.nudges.models import Run
from nudgepay.nudges.planning import run_planning
from nudgepay.nudges.reconcile import run_reconcile
from nudgepay.nudges.repeating import run_repeats
from nudgepay.nudges.report import SendingReport
from nudgepay.nudges.sending import run_sending
from nudgepay.nudges.switch import ensure_switch
from nudgepay.nudges.terms import Terms

PASS_LOCK = 0x4E50_0001
"""The advisory lock of passes: workers share it, a pass by hand has it alone."""


@dataclass(slots=True)
class PassReport:
    """What a pass did. `planned`: reminders that came due in it."""

    run_id: uuid.UUID | None
    now: datetime
    planned: int = 0
    sending: SendingReport = field(default_factory=SendingReport)

    def as_document(self) -> dict[str, Any]:
        """The shape of `nudge run --json`."""
        counts = self.sending.counts
        return {
            "run_id": self.run_id and str(self.run_id),
            "now": self.now.isoformat(),
            "planned": self.planned,
            "letters": len(self.sending.letters),
            "reminders": len(self.sending.reminders),
            "accepted": counts["accepted"],
            "failed": counts["failed"],
            "unknown": counts["unknown"],
            "held": self.sending.held(),
            "skipped": self.sending.skipped(),
        }


def run_pass(
    db: Database,
    *,
    transport: MailTransport,
    receipts: AcceptanceSource,
    terms: Terms,
    environment: str,
    now: datetime,
    actor: str,
    alone: bool = False,
    wait_seconds: float = 0,
    plan_only: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
    watch: Callable[[Moment], None] = lambda _: None,
) -> PassReport:
    """Plan what came due at `now` (UTC) and send it.

    Passes share the work when they run side by side; one that must be `alone` waits `wait_seconds` for the others
    and raises Busy when they do not end.
    """
    with db.advisory_lock(PASS_LOCK, shared=not alone, wait_seconds=wait_seconds) as held:
        if not held:
            raise Busy("another pass is running: try again when it has ended")
        with db.transaction() as session:
            ensure_switch(session, environment=environment, actor=actor)
            run = Run(now=now)
            session.add(run)
            expire_leases(session)
        report = PassReport(run.id, now)
        try:
            run_reconcile(db, receipts=receipts, now=now, grace_seconds=terms.lease_seconds)
            if terms.is_idempotent and not plan_only:
                run_repeats(db, transport=transport, terms=terms, now=now)
            report.planned = run_planning(db, now=now, calendar=terms.calendar).planned
            if not plan_only:
                report.sending = run_sending(
                    db,
                    transport=transport,
                    terms=terms,
                    now=now,
                    run_id=run.id,
                    should_stop=should_stop,
                    watch=watch,
                )
        finally:
            with db.transaction() as session:
                _close(session, report)
    return report


def _close(session: Session, report: PassReport) -> None:
    counts = report.as_document() | {key: value for key, value in report.sending.counts.items() if value}
    for key in ("held", "skipped"):
        reasons: dict[str, int] = {}
        for one in counts[key]:
            reasons[one["reason"]] = reasons.get(one["reason"], 0) + 1
        counts[key] = reasons
    session.get_one(Run, report.run_id).counts = counts
    session.execute(text("UPDATE runs SET ended_at = clock_timestamp() WHERE id = :id"), {"id": report.run_id})
