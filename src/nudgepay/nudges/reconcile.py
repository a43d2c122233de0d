"""Settling doubt without a person, where acceptance can be read back by Message-ID."""

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from nudgepay.db import Database
from nudgepay.gateways.mail import AcceptanceSource
from nudgepay.nudges.unknowns import NotInDoubt, mark_accepted, plan_again

ACTOR = "job:reconcile"
MOST = 500


@dataclass(slots=True)
class Reconciled:
    """What became of the letters in doubt."""

    accepted: int = 0
    planned_again: int = 0
    still_unknown: int = 0


def run_reconcile(
    db: Database, *, receipts: AcceptanceSource, now: datetime, grace_seconds: float, limit: int = MOST
) -> Reconciled:
    """Ask the source about every letter in doubt.

    One that was taken is `accepted`. One that certainly was not is planned again under the same Message-ID, but only
    `grace_seconds` after its lease ended: a frozen worker must not wake up and send what is being sent again. Where
    the source cannot tell, it stays a person's decision.
    """
    result = Reconciled()
    with db.transaction() as session:
        doubtful = session.execute(text(_DOUBTFUL), {"grace": grace_seconds, "limit": limit}).all()
    for letter in doubtful:
        found = receipts.find(letter.message_id, since=letter.looked_at)
        if found.verdict == "accepted":
            result.accepted += _confirm(db, letter, found.at or now, now=now, source=found.source)
        elif found.verdict == "absent" and letter.is_long_over:
            result.planned_again += _again(db, letter.id, now=now, source=found.source)
        else:
            result.still_unknown += 1
    return result


_DOUBTFUL = """
SELECT id, message_id, looked_at,
       coalesce(lease_until, looked_at) + make_interval(secs => :grace) < clock_timestamp() AS is_long_over
  FROM letters WHERE state = 'unknown' ORDER BY sending_at, id LIMIT :limit
"""


def _confirm(db: Database, letter: Row[Any], accepted_at: datetime, *, now: datetime, source: str) -> bool:
    with suppress(NotInDoubt), db.transaction() as session:
        mark_accepted(session, letter.id, accepted_at=accepted_at, now=now, actor=ACTOR, source=source)
        return True
    return False


def _again(db: Database, letter_id: uuid.UUID, *, now: datetime, source: str) -> bool:
    with suppress(NotInDoubt), db.transaction() as session:
        plan_again(session, letter_id, now=now, actor=ACTOR, source=source)
        return True
    return False
