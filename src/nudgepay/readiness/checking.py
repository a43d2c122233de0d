"""A look at the outside that a person asks for: it takes long, so it is written down as it goes on."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nudgepay import ledger, log
from nudgepay.ledger import LedgerEntry
from nudgepay.readiness.doctor import outside_findings
from nudgepay.runtime import Runtime

KIND, NAME = "check", "outside"
LONGEST = timedelta(minutes=3)
"""A look that has not ended after this was cut short."""
_ONE_AT_A_TIME = 0x6E706F63
_log = log.get("readiness")

Progress = Literal["never", "running", "done", "failed", "lost"]


@dataclass(frozen=True, slots=True)
class LastCheck:
    """The newest look. `findings` are those of `Finding.record`, as far as it has come; `at` is when it began."""

    progress: Progress = "never"
    at: datetime | None = None
    findings: tuple[dict[str, Any], ...] = ()

    def about(self, *prefixes: str) -> list[dict[str, Any]]:
        """The findings whose names begin so."""
        return [one for one in self.findings if one["name"].startswith(prefixes)]


def last_check(session: Session, *, now: datetime) -> LastCheck:
    """What the newest look found, or has found so far."""
    newest = (
        select(LedgerEntry)
        .where(LedgerEntry.kind == KIND, LedgerEntry.name == NAME)
        .order_by(LedgerEntry.started_at.desc())
        .limit(1)
    )
    entry = session.scalars(newest).one_or_none()
    if entry is None:
        return LastCheck()
    progress: Progress = "running" if now - entry.started_at < LONGEST else "lost"
    if entry.ended_at is not None:
        progress = "done" if entry.outcome == "done" else "failed"
    return LastCheck(progress, entry.started_at, tuple(entry.details.get("findings", ())))


def begin_check(session: Session, *, now: datetime, actor: str) -> int | None:
    """Write down that a look begins; None while another goes on."""
    session.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
    if last_check(session, now=now).progress == "running":
        return None
    return ledger.begin(session, kind=KIND, name=NAME, actor=actor)


def carry_out_check(runtime: Runtime, entry_id: int) -> None:
    """Ask everybody, outside of any transaction, and write down each answer as it comes."""
    found: list[dict[str, Any]] = []
    outcome = "failed"
    try:
        for finding in outside_findings(runtime):
            found.append(finding.record())
            with runtime.db.transaction() as session:
                ledger.tell_progress(session, entry_id, {"findings": found})
        outcome = "done"
    except Exception as error:  # noqa: BLE001  # nobody waits for this: it is logged, and shown as failed
        _log.exception("check_broke", error=type(error).__name__)
    finally:
        with runtime.db.transaction() as session:
            ledger.end(session, entry_id, outcome=outcome, details={"findings": found})
            ledger.resolve_notice(session, f"job.abandoned:{NAME}", actor="check:outside")
