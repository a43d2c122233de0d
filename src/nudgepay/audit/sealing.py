"""Sealing: committed records join the chain in the order of their ids, in batches, each with a checkpoint.

An id is given out before its transaction commits, so a record with a small id may appear late. The sealer reads the
last id that was given out, then waits until every transaction that was writing records at that moment has ended: up
to that id nothing is to come, and a missing id is a transaction that was rolled back.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay import clock, metrics
from nudgepay.audit.canonical import GENESIS, digest_of, link
from nudgepay.audit.checkpoints import Checkpoint, newest_anchor, newest_checkpoint, read_checkpoint, ship
from nudgepay.audit.models import AuditCheckpoint
from nudgepay.audit.signing import SigningKeys
from nudgepay.db import Database
from nudgepay.errors import Busy, Refused

SEALER_LOCK = 0x6E7561756474
BATCH = 5_000
LOOK_SECONDS = 0.1


class SealerBusy(Busy):
    """Another sealer is at work."""


class ChainBroken(Refused):
    """The chain does not hold what was shipped: nothing more is sealed over it until a person has looked."""


@dataclass(slots=True)
class Sealed:
    """What a run did. `waiting`: a transaction was still open, so the newest records are sealed next time."""

    records: int = 0
    waiting: bool = False
    checkpoint: Checkpoint | None = None
    shipped: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends now."""

    seq: int
    event_id: int
    hash: bytes


def seal(
    db: Database,
    *,
    keys: SigningKeys,
    anchors: Path | None = None,
    wait_seconds: float = 10.0,
    should_stop: Callable[[], bool] = lambda: False,
) -> Sealed:
    """Seal what is settled, sign where the chain stands, and ship that to `anchors`.

    Waits up to `wait_seconds` for transactions that are writing records now. Raises SealerBusy while another
    process seals, ChainBroken when the newest file of `anchors` is not of this chain.
    """
    with db.advisory_lock(SEALER_LOCK, shared=False, wait_seconds=0) as held:
        if not held:
            raise SealerBusy("another sealer is at work; try again when it has ended")
        _ensure_continues(db, anchors)
        result = Sealed()
        bound = settled_bound(db, wait_seconds=wait_seconds, should_stop=should_stop)
        result.waiting = bound is None
        while bound is not None and not should_stop() and _seal_batch(db, bound, keys, result):
            pass
        with db.transaction() as session:
            result.checkpoint = newest_checkpoint(session)
        if anchors is not None and result.checkpoint is not None:
            result.shipped = ship(result.checkpoint, anchors)
        return result


def is_sealing_needed(session: Session, *, keys: SigningKeys) -> bool:
    """True when a record is not sealed, or the newest checkpoint lacks the signature that it could have."""
    if session.scalar(text(_UNSEALED)):
        return True
    newest = newest_checkpoint(session)
    return keys.signer is not None and newest is not None and newest.signature is None


_UNSEALED = """
SELECT EXISTS (SELECT FROM audit_events
                WHERE id > coalesce((SELECT event_id FROM audit_seals ORDER BY seq DESC LIMIT 1), 0))
"""


def settled_bound(
    db: Database, *, wait_seconds: float, should_stop: Callable[[], bool] = lambda: False
) -> int | None:
    """An id up to which every record is there or will never be; None while an open transaction may still add one.

    The order matters: first the last id, then who holds the lock that every writer of the log keeps to its end.
    """
    with db.transaction() as session:
        bound = int(session.scalar(text(_LAST_ID)) or 0)
    with db.transaction() as session:
        writers = set(session.scalars(text(_WRITERS)))
    deadline = clock.monotonic() + wait_seconds
    while writers:
        if clock.monotonic() > deadline or should_stop():
            return None
        threading.Event().wait(LOOK_SECONDS)
        with db.transaction() as session:
            writers &= set(session.scalars(text(_WRITERS)))
    return bound


_LAST_ID = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM audit_events_id_seq"
_WRITERS = """
SELECT virtualtransaction FROM pg_locks
 WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND relation = 'audit_events'::regclass
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def _seal_batch(db: Database, bound: int, keys: SigningKeys, result: Sealed) -> bool:
    """One transaction: the seals of the next records and the checkpoint after them. False when nothing is left."""
    with db.transaction() as session:
        head = chain_head(session)
        rows = session.execute(text(_NEXT), {"after": head.event_id, "bound": bound, "most": BATCH}).all()
        if rows:
            head = _append(session, head, rows)
        if rows or _lacks_signature(session, keys):
            settled = bound if len(rows) < BATCH else head.event_id
            _write_checkpoint(session, head, settled, keys)
    result.records += len(rows)
    metrics.audit_sealed.inc(len(rows))
    return len(rows) == BATCH


def chain_head(session: Session) -> Head:
    """The last seal; of an empty chain the point before the first."""
    row = session.execute(text("SELECT seq, event_id, hash FROM audit_seals ORDER BY seq DESC LIMIT 1")).first()
    return Head(0, 0, GENESIS) if row is None else Head(row.seq, row.event_id, bytes(row.hash))


_NEXT = """
SELECT id, at, actor, action, subject, origin_commitment, before::text AS before, after::text AS after
  FROM audit_events WHERE id > :after AND id <= :bound ORDER BY id LIMIT :most
"""


def _append(session: Session, head: Head, rows: Sequence[Row[Any]]) -> Head:
    seals: dict[str, list[Any]] = {"seqs": [], "ids": [], "digests": [], "hashes": []}
    for row in rows:
        digest = digest_of_row(row)
        seq = head.seq + 1
        head = Head(seq, row.id, link(head.hash, digest, seq=seq, event_id=row.id))
        for name, value in zip(seals, (seq, row.id, digest, head.hash), strict=True):
            seals[name].append(value)
    session.execute(text(_INSERT), seals)
    return head


_INSERT = """
INSERT INTO audit_seals (seq, event_id, digest, hash)
SELECT * FROM unnest(CAST(:seqs AS bigint[]), CAST(:ids AS bigint[]), CAST(:digests AS bytea[]),
                     CAST(:hashes AS bytea[]))
"""


def digest_of_row(row: Any) -> bytes:
    """The digest of a record as it is now."""
    return digest_of(
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        origin_commitment=row.origin_commitment,
        before=row.before,
        after=row.after,
    )


def _lacks_signature(session: Session, keys: SigningKeys) -> bool:
    newest = newest_checkpoint(session)
    return keys.signer is not None and newest is not None and newest.signature is None


def _write_checkpoint(session: Session, head: Head, settled_id: int, keys: SigningKeys) -> None:
    at = session.scalars(text("SELECT clock_timestamp()")).one()
    made = Checkpoint(head.seq, head.seq, head.event_id, settled_id, head.hash, at).signed(keys)
    session.add(
        AuditCheckpoint(
            seq=made.seq,
            count=made.count,
            event_id=made.event_id,
            settled_id=made.settled_id,
            head=made.head,
            at=made.at,
            key_id=made.key_id,
            signature=made.signature,
        )
    )
    metrics.audit_checkpoint.set(at.timestamp())


def _ensure_continues(db: Database, anchors: Path | None) -> None:
    """A log that was cut and goes on would soon be as long as the old one: what was shipped last must be in it."""
    newest = None if anchors is None else newest_anchor(anchors)
    if newest is None:
        return
    known = read_checkpoint(newest)
    with db.transaction() as session:
        found = session.scalar(text("SELECT hash FROM audit_seals WHERE seq = :seq"), {"seq": known.seq})
    if known.seq and (found is None or bytes(found) != known.head):
        raise ChainBroken(
            f"the chain does not hold record {known.seq} of {newest.name}: look with `nudgepay audit verify`; after a"
            " restore move the files of AUDIT_ANCHOR_DIR elsewhere and keep them"
        )
