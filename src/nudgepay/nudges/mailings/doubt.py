"""Messages whose end nobody wrote down, and a person's word on them."""

import uuid
from collections import Counter
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from nudgepay import audit, ledger
from nudgepay.db import Database
from nudgepay.errors import NotFound
from nudgepay.gateways.mail import AcceptanceSource
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.unknowns import NotInDoubt

ACTOR = "job:send_mailings"

_EXPIRE = """
UPDATE mailings SET state = 'unknown', settled_at = clock_timestamp()
 WHERE state = 'sending' AND lease_until < clock_timestamp() RETURNING id, kind
"""
_DOUBTFUL = """
SELECT id, message_id, sending_at,
       lease_until + make_interval(secs => :grace) < clock_timestamp() AS is_long_over
  FROM mailings WHERE state = 'unknown' ORDER BY sending_at, id LIMIT 500
"""


def settle_lost(db: Database, *, receipts: AcceptanceSource, now: datetime, grace_seconds: float) -> Counter[str]:
    """Messages of lost workers are in doubt; where the relay's record can be read, the doubt ends there."""
    with db.transaction() as session:
        for row in session.execute(text(_EXPIRE)):
            details = {"mailing_id": str(row.id), "kind": row.kind}
            ledger.notice(session, "mailing.unknown", f"mailing.unknown:{row.id}", details)
        doubtful = session.execute(text(_DOUBTFUL), {"grace": grace_seconds}).all()
    counts: Counter[str] = Counter()
    for row in doubtful:
        found = receipts.find(row.message_id, since=row.sending_at)
        if found.verdict == "accepted":
            counts["found"] += _settle(db, row.id, "accepted", found.at or now, now)
        elif found.verdict == "absent" and row.is_long_over is not False:
            counts["planned_again"] += _settle(db, row.id, "planned", None, now)
    return counts


def _settle(db: Database, mailing_id: uuid.UUID, state: str, accepted_at: datetime | None, now: datetime) -> bool:
    with db.transaction() as session:
        mailing = _locked(session, mailing_id)
        if mailing.state != "unknown":
            return False
        mailing.state, mailing.accepted_at, mailing.look_at = state, accepted_at, now
        _told(session, mailing, actor=ACTOR)
        return True


def order_resend(session: Session, mailing_id: uuid.UUID, *, now: datetime, actor: str) -> None:
    """A person accepts that it may arrive twice: a new number, hence a new Message-ID; the books are read again.

    Raises NotFound, NotInDoubt unless it is `unknown` or `failed`.
    """
    mailing = _locked(session, mailing_id)
    if mailing.state not in {"unknown", "failed"}:
        raise NotInDoubt(f"message {mailing_id} is {mailing.state}: nothing was changed")
    n = mailing.n + 1
    mailing.message_id = mailing.message_id.replace(f".{mailing.n}@", f".{n}@", 1)
    mailing.n, mailing.state, mailing.look_at, mailing.attempts = n, "planned", now, 0
    _told(session, mailing, actor=actor)


def settle_as_sent(session: Session, mailing_id: uuid.UUID, *, now: datetime, actor: str) -> None:
    """A person says that it did leave. Raises NotFound, NotInDoubt."""
    mailing = _locked(session, mailing_id)
    if mailing.state != "unknown":
        raise NotInDoubt(f"message {mailing_id} is {mailing.state}: nothing was changed")
    mailing.state, mailing.accepted_at = "accepted", mailing.sending_at
    _told(session, mailing, actor=actor)


def _locked(session: Session, mailing_id: uuid.UUID) -> Mailing:
    found = session.scalar(select(Mailing).where(Mailing.id == mailing_id).with_for_update())
    if found is None:
        raise NotFound(f"there is no message {mailing_id}; see: nudgepay mailings list")
    return found


def _told(session: Session, mailing: Mailing, *, actor: str) -> None:
    for state in ("unknown", "failed"):
        ledger.resolve_notice(session, f"mailing.{state}:{mailing.id}", actor=actor)
    after = {"state": mailing.state, "n": mailing.n}
    audit.record(session, actor=actor, action="mailing.settle", subject=f"mailings:{mailing.id}", after=after)
