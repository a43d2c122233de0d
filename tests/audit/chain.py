"""A log with some acts in it, sealed and verified as an installation does."""

import base64
from pathlib import Path

from nudgepay import audit
from nudgepay.audit.checkpoints import Checkpoint
from nudgepay.audit.sealing import Sealed, seal
from nudgepay.audit.signing import SigningKeys, keys_from
from nudgepay.audit.verifying import Bad, Verdict, verify
from nudgepay.db import Database

SEED = base64.b64encode(bytes(range(32))).decode()
KEYS = keys_from(SEED)


def act(db: Database, count: int = 1, *, origin: str = "web:203.0.113.7 Firefox", first: int = 1) -> None:
    """That many acts, each a transaction of its own."""
    for number in range(first, first + count):
        with audit.acting_from(origin), db.transaction() as session:
            audit.record(
                session,
                actor="operator:7",
                action="invoice.pause",
                subject=f"invoices:{number}",
                before={"paused_until": None},
                after={"paused_until": "2026-03-01", "version": number},
            )


def sealed(db: Database, keys: SigningKeys = KEYS, *, anchors: Path | None = None, wait: float = 10) -> Sealed:
    return seal(db, keys=keys, anchors=anchors, wait_seconds=wait)


def verdict(db: Database, keys: SigningKeys = KEYS, *anchors: Checkpoint) -> Verdict:
    with db.transaction() as session:
        return verify(session, keys=keys, anchors=anchors)


def first_bad(db: Database, keys: SigningKeys = KEYS, *anchors: Checkpoint) -> tuple[str, int | None] | None:
    found: Bad | None = verdict(db, keys, *anchors).first_bad
    return None if found is None else (found.code, found.id)
