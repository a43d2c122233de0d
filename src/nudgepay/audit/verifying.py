"""Verifying: the chain is walked from its first record on and computed anew, a batch at a time, in one snapshot.

The first thing that is wrong ends it, with what it is and where.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from nudgepay.audit.canonical import GENESIS, commitment_to, link
from nudgepay.audit.checkpoints import Checkpoint, newest_checkpoint
from nudgepay.audit.sealing import BATCH, digest_of_row
from nudgepay.audit.signing import SigningKeys

PATIENCE_SECONDS = 300
"""A record that is older and not sealed, or a checkpoint that is older and not signed, is a fault."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Bad:
    """The first fault. `id` is the record's; None where it is gone with its seal. `seq` is its place in the chain."""

    code: str
    id: int | None
    seq: int | None
    reason: str

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        return {"id": self.id, "seq": self.seq, "code": self.code, "reason": f"{self.code}: {self.reason}"}


@dataclass(slots=True)
class Verdict:
    """What was found. `erased`: records whose origin was forgotten. `unsealed`: records that wait for the sealer."""

    checked: int = 0
    first_bad: Bad | None = None
    checkpoint: Checkpoint | None = None
    erased: int = 0
    unsealed: int = 0
    signed: int = 0
    remarks: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """For `--json` and the ledger."""
        return {
            "ok": self.first_bad is None,
            "first_bad": None if self.first_bad is None else self.first_bad.document(),
            "checked": self.checked,
            "checkpoint": None if self.checkpoint is None else self.checkpoint.document(),
            "unsealed": self.unsealed,
            "erased_origins": self.erased,
            "signatures": self.signed,
            "remarks": self.remarks,
        }


def verify(
    session: Session,
    *,
    keys: SigningKeys,
    anchors: Sequence[Checkpoint] = (),
    progress: Progress = lambda _done, _total: None,
) -> Verdict:
    """Walk the whole chain; `anchors` are checkpoints that were kept elsewhere."""
    session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    verdict = Verdict(checkpoint=newest_checkpoint(session))
    walk = _Walk(session, keys, anchors, verdict)
    total = int(session.scalar(text("SELECT coalesce(max(seq), 0) FROM audit_seals")) or 0)
    verdict.first_bad = walk.bad_seal(lambda: progress(verdict.checked, total)) or walk.bad_end()
    if not keys.known:
        verdict.remarks.append("no signature was checked: AUDIT_SIGNING_KEY is not set")
    if not anchors:
        verdict.remarks.append(
            "no checkpoint kept elsewhere was compared: a log cut together with its chain looks whole"
        )
    return verdict


class _Walk:
    """One pass over the chain: where it stands, and what stops it."""

    def __init__(self, session: Session, keys: SigningKeys, anchors: Sequence[Checkpoint], verdict: Verdict) -> None:
        self._session, self._keys, self._verdict = session, keys, verdict
        self._anchors = tuple(anchors)
        self._seq, self._event_id, self._hash = 0, 0, GENESIS

    def bad_seal(self, tell: Callable[[], None]) -> Bad | None:
        """The first fault among the seals and their records."""
        while rows := self._session.execute(text(_SEALS), {"after": self._seq, "most": BATCH}).all():
            stranger = self._stranger(max(row.event_id for row in rows))
            points = self._points(rows[-1].seq)
            for row in rows:
                bad = (
                    self._bad_place(row, stranger)
                    or self._bad_record(row)
                    or self._bad_point(points.get(row.seq, ()))
                )
                if bad is not None:
                    return bad
                self._verdict.checked += 1
            tell()
        return None

    def _bad_place(self, row: Row[Any], stranger: int | None) -> Bad | None:
        """A seal that is gone, out of order, or passed by a record without one."""
        expected = self._seq + 1
        if row.seq != expected:
            between = self._first_between(self._event_id, row.event_id)
            if between is None:
                return Bad(
                    "missing", None, expected, f"record {expected} of the chain is gone together with its seal"
                )
            return Bad("seal_missing", between, expected, "the seal of this record is gone")
        if row.event_id <= self._event_id:
            return Bad("reordered", row.event_id, row.seq, f"it stands behind the younger record {self._event_id}")
        if stranger is not None and stranger < row.event_id:
            return Bad("inserted", stranger, None, "it came between records that were sealed without it")
        return None

    def _bad_record(self, row: Row[Any]) -> Bad | None:
        """A record that is gone, not what was sealed, or sealed by somebody who could not count."""
        if row.id is None:
            return Bad("deleted", row.event_id, row.seq, "the record is gone, its seal is there")
        digest = digest_of_row(row)
        if digest != bytes(row.digest):
            return self._edited(row, digest)
        if row.origin is not None and (
            row.origin_salt is None
            or commitment_to(row.origin, row.origin_salt) != bytes(row.origin_commitment or b"")
        ):
            return Bad("edited", row.id, row.seq, "its origin is not the one that was written")
        self._verdict.erased += row.origin is None and row.origin_commitment is not None
        hashed = link(self._hash, digest, seq=row.seq, event_id=row.event_id)
        if hashed != bytes(row.hash):
            return Bad("seal_edited", row.id, row.seq, "its seal does not follow from the one before")
        self._seq, self._event_id, self._hash = row.seq, row.event_id, hashed
        return None

    def _edited(self, row: Row[Any], digest: bytes) -> Bad:
        other = self._session.scalar(text(_SAME), {"digest": digest, "seq": row.seq})
        if other is None:
            return Bad("edited", row.id, row.seq, "the record is not what was sealed")
        return Bad("reordered", row.id, row.seq, f"it holds what was sealed as record {other}")

    def _points(self, last: int) -> Mapping[int, list[tuple[Checkpoint, bool]]]:
        """Checkpoints and anchors up to the end of a batch, by the seal after which they were written."""
        found: dict[int, list[tuple[Checkpoint, bool]]] = {}
        for point in _checkpoints(self._session, after=self._seq, last=last):
            found.setdefault(point.seq, []).append((point, False))
        for point in self._anchors:
            found.setdefault(point.seq, []).append((point, True))
        return found

    def _bad_point(self, points: Iterable[tuple[Checkpoint, bool]]) -> Bad | None:
        for point, is_anchor in points:
            if (point.count, point.event_id, point.head) != (self._seq, self._event_id, self._hash):
                whose = "the checkpoint kept elsewhere" if is_anchor else "the checkpoint"
                reason = f"{whose} of {point.at:%Y-%m-%d %H:%M} UTC does not hold this chain"
                return Bad("checkpoint", self._event_id, self._seq, reason)
            if (bad := self._bad_signature(point)) is not None:
                return bad
        return None

    def _bad_signature(self, point: Checkpoint) -> Bad | None:
        if point.key_id is None or point.signature is None or not self._keys.known:
            return None
        try:
            if self._keys.is_genuine(point.message(point.key_id), by=point.key_id, signature=point.signature):
                self._verdict.signed += 1
                return None
        except KeyError:
            reason = f"the checkpoint is signed by key {point.key_id}, which AUDIT_SIGNING_KEY does not know"
            return Bad("unknown_key", point.event_id, point.seq, reason)
        return Bad("signature", point.event_id, point.seq, "the signature of the checkpoint is forged")

    def bad_end(self) -> Bad | None:
        """The tail that is gone; what came in behind the seals; what nobody sealed or signed in time."""
        return self._lost_tail() or self._late() or self._unsigned()

    def _lost_tail(self) -> Bad | None:
        later = [point for point in self._anchors if point.seq > self._seq]
        own = _checkpoints(self._session, after=self._seq, most=1)
        points = sorted([*later, *own], key=lambda point: point.seq)
        if not points:
            return None
        left = self._first_between(self._event_id, points[0].event_id + 1)
        if left is not None:
            return Bad("seal_missing", left, self._seq + 1, "the seal of this record is gone")
        reason = f"the end of the log is gone: a checkpoint counts {points[-1].count} records, {self._seq} are there"
        return Bad("tail", points[0].event_id, self._seq + 1, reason)

    def _late(self) -> Bad | None:
        newest = self._verdict.checkpoint
        settled = max(self._event_id, newest.settled_id if newest else 0)
        stranger = self._first_between(self._event_id, settled + 1)
        if stranger is not None:
            return Bad("inserted", stranger, None, "it came in where the sealer had found nothing to come")
        found = self._session.execute(text(_UNSEALED), {"after": settled, "seconds": PATIENCE_SECONDS}).one()
        self._verdict.unsealed = found.waiting
        if found.overdue is None:
            return None
        reason = "it waits for its seal for more than five minutes: is a worker running? nudgepay audit seal"
        return Bad("unsealed", found.overdue, None, reason)

    def _unsigned(self) -> Bad | None:
        newest = self._verdict.checkpoint
        if newest is None or newest.signature is not None or self._keys.signer is None:
            return None
        age = self._session.scalar(text("SELECT extract(epoch FROM now() - :at)"), {"at": newest.at}) or 0
        if age <= PATIENCE_SECONDS:
            return None
        return Bad("unsigned", newest.event_id, newest.seq, "the newest checkpoint bears no signature")

    def _stranger(self, last: int) -> int | None:
        return self._first_between(self._event_id, last)

    def _first_between(self, low: int, high: int) -> int | None:
        """The first record between two ids that has no seal."""
        found: int | None = self._session.scalar(text(_STRANGER), {"low": low, "high": high})
        return found


def _checkpoints(session: Session, *, after: int, last: int = 2**62, most: int | None = None) -> list[Checkpoint]:
    rows = session.execute(text(_POINTS), {"after": after, "last": last, "most": most})
    return [
        Checkpoint(
            row.seq, row.total, row.event_id, row.settled_id, bytes(row.head), row.at, row.key_id, row.signature
        )
        for row in rows
    ]


_POINTS = """
SELECT seq, count AS total, event_id, settled_id, head, at, key_id, signature FROM audit_checkpoints
 WHERE seq > :after AND seq <= :last ORDER BY seq, id LIMIT :most
"""
_SEALS = """
SELECT s.seq, s.event_id, s.digest, s.hash, e.id, e.at, e.actor, e.action, e.subject, e.origin, e.origin_salt,
       e.origin_commitment, e.before::text AS before, e.after::text AS after
  FROM (SELECT seq, event_id, digest, hash FROM audit_seals WHERE seq > :after ORDER BY seq LIMIT :most) AS s
  LEFT JOIN audit_events e ON e.id = s.event_id ORDER BY s.seq
"""
_STRANGER = """
SELECT min(e.id) FROM audit_events e
 WHERE e.id > :low AND e.id < :high AND NOT EXISTS (SELECT FROM audit_seals s WHERE s.event_id = e.id)
"""
_SAME = "SELECT seq FROM audit_seals WHERE digest = :digest AND seq <> :seq ORDER BY seq LIMIT 1"
_UNSEALED = """
SELECT count(*) AS waiting,
       min(id) FILTER (WHERE at < clock_timestamp() - make_interval(secs => :seconds)) AS overdue
  FROM audit_events WHERE id > :after
"""
