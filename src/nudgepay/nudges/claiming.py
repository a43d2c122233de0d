"""Taking work in hand: a client's due reminders, for as long as a lease lasts, by one worker at a time.

Leases run on the database's clock. A fence grows with each claim; whoever holds an older one writes nothing.
"""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay import ledger

BATCH = 50
"""Clients in one claim: past it a claim gains little, and a dead worker keeps more of them waiting."""
MAX_WINDOW = 1_000_000


@dataclass(frozen=True, slots=True)
class Claim:
    """One client in hand: the fence of each claimed reminder by its id."""

    client_id: int
    fences: dict[int, int] = field(default_factory=dict)


_CANDIDATES = """
SELECT client_id FROM (
       (SELECT client_id, 0 AS rank, look_at FROM reminders
         WHERE state = 'planned' AND nudge_key IS NOT NULL AND look_at <= :now
         ORDER BY look_at LIMIT :window)
       UNION ALL
       (SELECT client_id, 1 AS rank, look_at FROM reminders
         WHERE state = 'planned' AND look_at <= :now
         ORDER BY look_at LIMIT :window)) AS due
 WHERE CAST(:only AS bigint[]) IS NULL OR client_id = ANY(CAST(:only AS bigint[]))
 GROUP BY client_id
 ORDER BY min(rank), min(look_at), client_id
"""

_LOCK = """
SELECT id FROM clients c
 WHERE id = ANY(:ids)
   AND NOT EXISTS (SELECT FROM reminders r WHERE r.client_id = c.id AND r.state IN ('claimed', 'sending'))
 ORDER BY array_position(CAST(:ids AS bigint[]), id)
 LIMIT :batch
   FOR NO KEY UPDATE SKIP LOCKED
"""

_CLAIM = """
UPDATE reminders r
   SET state = 'claimed', fence = fence + 1, updated_at = now(),
       lease_until = clock_timestamp() + make_interval(secs => :lease)
 WHERE client_id = ANY(:ids) AND state = 'planned' AND look_at <= :now
   AND NOT EXISTS (SELECT FROM reminders o WHERE o.client_id = r.client_id AND o.state IN ('claimed', 'sending'))
RETURNING id, client_id, fence
"""


def claim(
    session: Session,
    *,
    now: datetime,
    lease_seconds: float,
    batch: int = BATCH,
    client_ids: Collection[int] | None = None,
) -> list[Claim]:
    """Claim up to `batch` clients who have something due and are in nobody's hands; manual nudges first."""
    window = batch * 8
    while True:
        only = None if client_ids is None else list(client_ids)
        query = {"now": now, "window": MAX_WINDOW if only else window, "only": only}
        candidates = list(session.scalars(text(_CANDIDATES), query))
        locked = list(session.scalars(text(_LOCK), {"ids": candidates, "batch": batch})) if candidates else []
        if locked or not candidates or only is not None or window >= MAX_WINDOW:
            break
        window *= 8
    claimed: dict[int, Claim] = {client_id: Claim(client_id) for client_id in locked}
    terms = {"ids": locked, "now": now, "lease": lease_seconds}
    for reminder_id, client_id, fence in session.execute(text(_CLAIM), terms) if locked else ():
        claimed[client_id].fences[reminder_id] = fence
    return [found for found in claimed.values() if found.fences]


def release(session: Session, claims: Iterable[Claim], *, look_at: datetime | None = None) -> None:
    """Give back what was claimed and not looked at; what somebody else took meanwhile stays theirs."""
    for held in claims:
        session.execute(
            text(
                "UPDATE reminders r SET state = 'planned', lease_until = NULL, updated_at = now(),"
                "       look_at = coalesce(CAST(:look_at AS timestamptz), look_at)"
                "  FROM unnest(CAST(:ids AS bigint[]), CAST(:fences AS bigint[])) AS mine (id, fence)"
                " WHERE r.id = mine.id AND r.fence = mine.fence AND r.state = 'claimed'"
            ),
            {"ids": list(held.fences), "fences": list(held.fences.values()), "look_at": look_at},
        )


@dataclass(frozen=True, slots=True)
class Expired:
    """Leases that ended: reminders given back, letters now in doubt."""

    released: int
    doubtful: int


def expire_leases(session: Session) -> Expired:
    """A worker was lost: what it only held is planned again, what it may have sent is `unknown`, and said so."""
    clients = list(session.scalars(text(_ABANDONED)))
    if not clients:
        return Expired(0, 0)
    ids = {"ids": clients}
    doubtful = session.execute(
        text(
            "UPDATE letters SET state = 'unknown', settled_at = clock_timestamp()"
            " WHERE client_id = ANY(:ids) AND state = 'sending' AND lease_until < clock_timestamp()"
            " RETURNING id, client_id"
        ),
        ids,
    ).all()
    mark_unknown(session, {row.id: row.client_id for row in doubtful})
    released = session.execute(
        text(
            "UPDATE reminders SET state = 'planned', lease_until = NULL, updated_at = now()"
            " WHERE client_id = ANY(:ids) AND state = 'claimed' AND lease_until < clock_timestamp() RETURNING id"
        ),
        ids,
    ).all()
    return Expired(len(released), len(doubtful))


_ABANDONED = """
SELECT id FROM clients
 WHERE id IN (SELECT client_id FROM reminders
               WHERE state IN ('claimed', 'sending') AND lease_until < clock_timestamp())
 ORDER BY id
   FOR NO KEY UPDATE SKIP LOCKED
"""


def mark_unknown(session: Session, letters: dict[uuid.UUID, int]) -> None:
    """The reminders of letters in doubt follow them, and a person is told. `letters`: client by letter."""
    session.execute(
        text(
            "UPDATE reminders SET state = 'unknown', lease_until = NULL, updated_at = now()"
            " WHERE letter_id = ANY(:letters) AND state = 'sending'"
        ),
        {"letters": list(letters)},
    )
    for letter_id, client_id in letters.items():
        details = {"letter_id": str(letter_id), "client_id": client_id}
        ledger.notice(session, "letter.unknown", f"letter.unknown:{letter_id}", details)
