"""What signing in leaves behind: counts of refused tries for the audit log, and rows that nobody needs any more."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import ledger
from nudgepay.access.refusals import TELLING_SECONDS, tell_the_rest
from nudgepay.access.sessions import forget_ended_sessions

MOST_AT_ONCE = 10_000
SWEEPER = "job:sweep_sign_ins"
_IS_ANY = """
SELECT EXISTS (SELECT 1 FROM sign_in_limits WHERE refused > 0 AND told_at < now() - make_interval(secs => :telling))
    OR EXISTS (SELECT 1 FROM sign_in_limits WHERE seen_at < now() - interval '25 hours')
    OR EXISTS (SELECT 1 FROM known_devices WHERE ends_at < now())
    OR EXISTS (SELECT 1 FROM sessions WHERE ends_at < now() OR seen_at < now() - make_interval(mins => :idle))
"""
_FORGET_LIMITS = """
DELETE FROM sign_in_limits WHERE (scope, key) IN (
    SELECT scope, key FROM sign_in_limits WHERE seen_at < now() - interval '25 hours' AND refused = 0
     LIMIT :most FOR UPDATE SKIP LOCKED)
RETURNING scope, key
"""
_FORGET_DEVICES = """
DELETE FROM known_devices WHERE id IN (SELECT id FROM known_devices WHERE ends_at < now() LIMIT :most) RETURNING id
"""


def is_any_left(session: Session, *, idle_minutes: int) -> bool:
    """True when there is something to clear away."""
    return bool(session.scalar(text(_IS_ANY), {"telling": TELLING_SECONDS, "idle": idle_minutes}))


def sweep(session: Session, *, idle_minutes: int) -> dict[str, int]:
    """Clear it away. An account that has been left alone for a day closes its notice."""
    told = tell_the_rest(session)
    calm = session.execute(text(_FORGET_LIMITS), {"most": MOST_AT_ONCE}).all()
    for scope, key in calm:
        if scope == "account" and key.startswith("operators:"):
            ledger.resolve_notice(session, f"sign_in.attack:{key.removeprefix('operators:')}", actor=SWEEPER)
        elif scope == "everywhere":
            ledger.resolve_notice(session, "sign_in.flood", actor=SWEEPER)
    return {
        "refused": told,
        "limits": len(calm),
        "devices": len(session.execute(text(_FORGET_DEVICES), {"most": MOST_AT_ONCE}).all()),
        "sessions": forget_ended_sessions(session, idle_minutes=idle_minutes, most=MOST_AT_ONCE),
    }
