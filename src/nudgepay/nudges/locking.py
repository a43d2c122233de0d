"""The locks of a look, always in the same order: client, then its reminders, then its open invoices."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.nudges.claiming import Claim


@dataclass(frozen=True, slots=True)
class Locked:
    """`live` claims are still ours and locked; `busy` ones wait for somebody's lock; `fenced` ones are lost."""

    live: tuple[Claim, ...]
    busy: tuple[Claim, ...]
    fenced: int


def lock_claims(session: Session, claims: Sequence[Claim]) -> Locked:
    """Lock the clients of the claims; a single client is waited for, of several the free ones are taken."""
    skip = "SKIP LOCKED" if len(claims) > 1 else ""
    ids = {"ids": [claim.client_id for claim in claims]}
    query = "SELECT id FROM clients WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE"
    free = set(session.scalars(text(f"{query} {skip}"), ids))
    locked = {"ids": list(free)}
    fences: dict[int, dict[int, int]] = defaultdict(dict)
    for reminder_id, client_id, state, fence in session.execute(text(_REMINDERS), locked):
        if state == "claimed":
            fences[client_id][reminder_id] = fence
    session.execute(text(_INVOICES), locked)
    live = [claim for claim in claims if claim.client_id in free and _is_ours(claim, fences[claim.client_id])]
    busy = tuple(claim for claim in claims if claim.client_id not in free)
    return Locked(tuple(live), busy, len(claims) - len(live) - len(busy))


def _is_ours(claim: Claim, in_hand: dict[int, int]) -> bool:
    """Everything of the client that is in hand is in ours: no lease of ours ended and was taken over."""
    return bool(in_hand) and in_hand.items() <= claim.fences.items()


_INVOICES = """
SELECT id FROM invoices i
 WHERE client_id = ANY(:ids)
   AND (status = 'open' OR EXISTS (
        SELECT FROM reminders r WHERE r.invoice_id = i.id AND r.state IN ('planned', 'claimed')))
 ORDER BY id FOR NO KEY UPDATE
"""

_REMINDERS = """
SELECT id, client_id, state, fence FROM reminders
 WHERE client_id = ANY(:ids) AND state IN ('planned', 'claimed')
 ORDER BY id FOR NO KEY UPDATE
"""
