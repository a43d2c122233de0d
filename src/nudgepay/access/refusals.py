"""Tries that nobody looked at, written down without letting a flood write as much as it likes.

The first few have an audit record each, the others one a minute with their count: the counts add up to the tries.
"""

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import audit, ledger

VISITOR = "visitor"
IN_FULL = 5
TELLING_SECONDS = 60
CALM_SECONDS = 3600
ALARMING = 10
"""Wrong tries of one account in a day from devices that it does not know."""
_COUNT = """
UPDATE sign_in_limits
   SET refused = refused + 1, seen_at = clock_timestamp(),
       told = CASE WHEN told_at < clock_timestamp() - make_interval(secs => :calm) THEN 0 ELSE told END
 WHERE scope = :scope AND key = :key
RETURNING refused, told, counted_at IS NOT NULL AND (told_at IS NULL OR told_at < counted_at) AS is_news,
          told < :in_full OR told_at < clock_timestamp() - make_interval(secs => :telling) AS is_telling
"""
_TOLD = """
UPDATE sign_in_limits SET refused = 0, told = told + 1, told_at = clock_timestamp()
 WHERE scope = :scope AND key = :key
"""
_UNTOLD = """
SELECT scope, key, refused FROM sign_in_limits
 WHERE refused > 0 AND told_at < now() - make_interval(secs => :telling) FOR UPDATE SKIP LOCKED
"""


def note(session: Session, scope: str, key: str, *, account: str, tries: int) -> bool:
    """Count a refused try; True for the first one since the scope was used up. An attack opens a notice, once."""
    values = {"scope": scope, "key": key, "calm": CALM_SECONDS, "in_full": IN_FULL, "telling": TELLING_SECONDS}
    row = session.execute(text(_COUNT), values).one()
    if row.is_telling:
        _tell(session, scope, key, row.refused)
    if scope == "everywhere":
        ledger.notice(session, "sign_in.flood", "sign_in.flood")
    elif scope == "account" and tries >= ALARMING and account.startswith("operators:"):
        operator = int(account.removeprefix("operators:"))
        ledger.notice(session, "sign_in.attack", f"sign_in.attack:{operator}", {"operator": operator})
    return bool(row.is_news)


def tell_the_rest(session: Session) -> int:
    """Write down what was refused since the last record, where a minute has passed; returns how many tries."""
    rows = session.execute(text(_UNTOLD), {"telling": TELLING_SECONDS}).all()
    for row in rows:
        _tell(session, row.scope, row.key, row.refused)
    return sum(row.refused for row in rows)


def _tell(session: Session, scope: str, key: str, count: int) -> None:
    subject = key if scope == "account" else f"{scope}:{key}"
    after = {"scope": scope, "count": count}
    audit.record(session, actor=VISITOR, action="sign_in.refuse", subject=subject, after=after)
    session.execute(text(_TOLD), {"scope": scope, "key": key})
