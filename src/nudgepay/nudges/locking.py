"""The locks of a look, always in the same order: client, then its reminders, then its open invoices.

Clients who share an address take turns as well: each must see the letter that the other got.
"""

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
    free -= _whose_address_is_taken(session, free, waits=not skip)
    locked = {"ids": list(free)}
    fences: dict[int, dict[int, int]] = defaultdict(dict)
    for reminder_id, client_id, state, fence in session.execute(text(_REMINDERS), locked):
        if state == "claimed":
            fences[client_id][reminder_id] = fence
    session.execute(text(_INVOICES), locked)
    live = [claim for claim in claims if claim.client_id in free and _is_ours(claim, fences[claim.client_id])]
    busy = tuple(claim for claim in claims if claim.client_id not in free)
    return Locked(tuple(live), busy, len(claims) - len(live) - len(busy))


def _whose_address_is_taken(session: Session, clients: set[int], *, waits: bool) -> set[int]:
    """Clients to be looked at later: another client with the same address is in this look, or in somebody else's."""
    taken: set[int] = set()
    seen: dict[str, int] = {}
    lock = text(_WAIT_FOR_ADDRESS if waits else _TRY_ADDRESS)
    for client_id, address in session.execute(text(_SHARED_ADDRESSES), {"ids": sorted(clients)}).all():
        is_second = client_id in taken or seen.setdefault(address, client_id) != client_id
        if is_second or not session.scalar(lock, {"address": address}):
            taken.add(client_id)
    return taken


def _is_ours(claim: Claim, in_hand: dict[int, int]) -> bool:
    """Everything of the client that is in hand is in ours: no lease of ours ended and was taken over."""
    return bool(in_hand) and in_hand.items() <= claim.fences.items()


_SHARED_ADDRESSES = """
SELECT k.client_id, k.email FROM contacts k
 WHERE k.client_id = ANY(:ids)
   AND EXISTS (SELECT FROM contacts other WHERE other.email = k.email AND other.client_id <> k.client_id)
 ORDER BY k.client_id, k.email
"""
_TRY_ADDRESS = "SELECT pg_try_advisory_xact_lock(hashtextextended('nudgepay:address:' || :address, 0))"
_WAIT_FOR_ADDRESS = "SELECT true FROM pg_advisory_xact_lock(hashtextextended('nudgepay:address:' || :address, 0))"

_INVOICES = """
SELECT id FROM invoices i
 WHERE client_id = ANY(:ids)
   AND (status = 'open' OR EXISTS (
        SELECT FROM reminders r WHERE r.client_id = i.client_id AND r.invoice_id = i.id
           AND r.state IN ('planned', 'claimed')))
 ORDER BY id FOR NO KEY UPDATE
"""

_REMINDERS = """
SELECT id, client_id, state, fence FROM reminders
 WHERE client_id = ANY(:ids) AND state IN ('planned', 'claimed')
 ORDER BY id FOR NO KEY UPDATE
"""
