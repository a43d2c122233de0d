"""Sealing and verifying as an installation's settings want it: with its keys, and against what it shipped."""

from collections.abc import Callable
from pathlib import Path

from nudgepay.audit.checkpoints import newest_anchor, read_checkpoint
from nudgepay.audit.sealing import Sealed, seal
from nudgepay.audit.signing import SigningKeys, keys_from
from nudgepay.audit.verifying import Progress, Verdict, verify
from nudgepay.config import Settings
from nudgepay.db import Database


def audit_keys(settings: Settings) -> SigningKeys:
    """The keys of AUDIT_SIGNING_KEY."""
    return keys_from(settings.secret("audit_signing_key"))


def seal_log(
    db: Database, settings: Settings, *, wait_seconds: float = 10.0, should_stop: Callable[[], bool] = lambda: False
) -> Sealed:
    """Seal what is settled; raises what `seal` raises."""
    return seal(
        db,
        keys=audit_keys(settings),
        anchors=settings.audit_anchor_dir,
        wait_seconds=wait_seconds,
        should_stop=should_stop,
    )


def verify_log(
    db: Database,
    settings: Settings,
    *,
    checkpoint: Path | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Verdict:
    """Verify against the checkpoint in this file and the newest of AUDIT_ANCHOR_DIR.

    Raises UsageError for a file that holds none.
    """
    newest = None if settings.audit_anchor_dir is None else newest_anchor(settings.audit_anchor_dir)
    anchors = [read_checkpoint(path) for path in (checkpoint, newest) if path is not None]
    with db.transaction() as session:
        return verify(session, keys=audit_keys(settings), anchors=anchors, progress=progress)
