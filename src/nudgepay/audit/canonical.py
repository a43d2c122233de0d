"""What is hashed and what is signed, byte for byte (docs/audit.md tells outsiders). Pure."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

GENESIS = bytes(32)
"""The head of a chain that is empty."""
RECORD = "nudgepay-audit-1"
CHECKPOINT = "nudgepay-audit-checkpoint-1"


def digest_of(
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    origin_commitment: bytes | None,
    before: str | None,
    after: str | None,
) -> bytes:
    """SHA-256 over what a record says; `before` and `after` as PostgreSQL writes jsonb."""
    origin = None if origin_commitment is None else origin_commitment.hex()
    return hashlib.sha256(canonical([RECORD, instant(at), actor, action, subject, origin, before, after])).digest()


def link(previous: bytes, digest: bytes, *, seq: int, event_id: int) -> bytes:
    """The hash of a record's place in the chain: over everything before it, its digest and its two numbers."""
    return hashlib.sha256(previous + digest + seq.to_bytes(8, "big") + event_id.to_bytes(8, "big")).digest()


def commitment_to(origin: str, salt: bytes) -> bytes:
    """What the log keeps of an origin when it and its salt are forgotten."""
    return hashlib.sha256(salt + origin.encode()).digest()


def canonical(values: Sequence[str | int | None]) -> bytes:
    """The list as JSON after RFC 8785: no spaces, UTF-8, only what must be escaped is."""
    return json.dumps(list(values), ensure_ascii=False, separators=(",", ":")).encode()


def instant(at: datetime) -> str:
    """UTC with six digits after the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
