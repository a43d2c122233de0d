"""A checkpoint as what is signed, as a file that is kept elsewhere, and read back from one that nobody trusts."""

import base64
import binascii
import json
import os
import re
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay.audit.canonical import CHECKPOINT, canonical, instant
from nudgepay.audit.models import AuditCheckpoint
from nudgepay.audit.signing import SigningKeys
from nudgepay.errors import OperationalError, UsageError

LARGEST_FILE = 64 * 1024
PATTERN = re.compile(r"audit-checkpoint-(\d{15})-[0-9a-f]{16}-[0-9a-f]{8,10}\.json")
UNSIGNED = "0" * 8


class NotShipped(OperationalError):
    """A checkpoint could not be written to AUDIT_ANCHOR_DIR."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """After `seq` records, the last of them `event_id`, the head was `head`."""

    seq: int
    count: int
    event_id: int
    settled_id: int
    head: bytes
    at: datetime
    key_id: str | None = None
    signature: bytes | None = None

    def message(self, key_id: str) -> bytes:
        """What the key signs."""
        numbers = (self.seq, self.count, self.event_id, self.settled_id)
        return canonical([CHECKPOINT, *numbers, self.head.hex(), instant(self.at), key_id])

    def signed(self, keys: SigningKeys) -> "Checkpoint":
        """The same with a signature, where there is a key."""
        name = keys.signer_id
        if keys.signer is None or name is None:
            return self
        return replace(self, key_id=name, signature=keys.signer.sign(self.message(name)))

    def document(self) -> dict[str, Any]:
        """For files and `--json`."""
        return {
            "format": CHECKPOINT,
            "seq": self.seq,
            "count": self.count,
            "event_id": self.event_id,
            "settled_id": self.settled_id,
            "head": self.head.hex(),
            "at": instant(self.at),
            "key_id": self.key_id,
            "signature": None if self.signature is None else base64.b64encode(self.signature).decode(),
        }

    @property
    def file_name(self) -> str:
        """Sorts by seq; two heads after the same record are two files."""
        return f"audit-checkpoint-{self.seq:015d}-{self.head.hex()[:16]}-{(self.key_id or UNSIGNED)[:8]}.json"


def newest_checkpoint(session: Session) -> Checkpoint | None:
    """The last one that was written."""
    row = session.scalars(select(AuditCheckpoint).order_by(AuditCheckpoint.id.desc()).limit(1)).first()
    return None if row is None else checkpoint_of(row)


def checkpoint_of(row: AuditCheckpoint) -> Checkpoint:
    """The row as a value."""
    return Checkpoint(row.seq, row.count, row.event_id, row.settled_id, row.head, row.at, row.key_id, row.signature)


def ship(checkpoint: Checkpoint, directory: Path) -> bool:
    """Write it into the directory, whole or not at all; False when it is there already. Raises NotShipped."""
    path = directory / checkpoint.file_name
    if path.exists():
        return False
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _write(path, json.dumps(checkpoint.document(), indent=2) + "\n")
    except OSError as error:
        raise NotShipped(
            f"AUDIT_ANCHOR_DIR: {directory} cannot be written ({error.strerror}); let this user write there"
        ) from error
    return True


def _write(path: Path, content: str) -> None:
    handle, name = tempfile.mkstemp(prefix=".audit-", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def newest_anchor(directory: Path) -> Path | None:
    """The file of the highest seq, of several the one that was written last."""
    try:
        named = [
            (found[1], entry.stat().st_mtime_ns, entry.path)
            for entry in os.scandir(directory)
            if (found := PATTERN.fullmatch(entry.name))
        ]
    except FileNotFoundError:
        return None
    return Path(max(named)[2]) if named else None


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a file; raises UsageError for what is none."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(LARGEST_FILE + 1)[: LARGEST_FILE + 1])
        if found["format"] != CHECKPOINT:
            raise ValueError
        seq, count, event_id, settled_id = numbers = [
            found[name] for name in ("seq", "count", "event_id", "settled_id")
        ]
        if not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
            raise ValueError
        head = bytes.fromhex(found["head"])
        signature = found["signature"] and base64.b64decode(found["signature"], validate=True)
        key_id = found["key_id"] and str(found["key_id"])
        at = datetime.fromisoformat(found["at"])
        if len(head) != 32 or at.tzinfo is None:
            raise ValueError
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise UsageError(f"{path}: is no checkpoint; take a file that AUDIT_ANCHOR_DIR got") from None
    return Checkpoint(seq, count, event_id, settled_id, head, at, key_id, signature)
