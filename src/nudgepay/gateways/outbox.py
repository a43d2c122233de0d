"""Letters as files: NUDGEPAY_HOME/outbox/np.LETTER.N.eml. It is also its own source of acceptance."""

import contextlib
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from nudgepay.gateways.mail import (
    Envelope,
    Finding,
    Receipt,
    SenderNotReady,
    TooLate,
    ensure_address,
    ensure_message_id,
)


class Outbox:
    """A letter is accepted when its file is there; the same Message-ID is never stored twice."""

    concurrency = 1

    def __init__(self, directory: Path) -> None:
        """`directory` is created with the first letter."""
        self.directory = directory

    def deliver(self, envelope: Envelope, *, may_begin: Callable[[], bool]) -> Receipt:
        """Write, sync and link the file; the link is the moment of acceptance. Raises TooLate, SenderNotReady."""
        ensure_address(envelope.recipient)
        path = self._path(envelope.message_id)
        temporary = self.directory / f".{path.stem}.{secrets.token_hex(4)}"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            _write_durably(temporary, envelope.mime)
            if not may_begin():
                raise TooLate("the last look is too old: nothing was written")
            if not _link_first(temporary, path):
                return Receipt(f"already in the outbox as {path.name}", repeated=True)
            _sync_directory(self.directory)
        except OSError as error:
            raise SenderNotReady(
                f"the outbox cannot be written ({type(error).__name__}): check disk and owner"
            ) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        return Receipt(f"stored as {path.name}")

    def find(self, message_id: str, *, since: datetime) -> Finding:
        """Exact: the file is there or it is not. `cannot_tell` when the directory is gone or unreadable."""
        if not self.directory.is_dir():
            return Finding("cannot_tell", source="outbox")
        try:
            written = self._path(message_id).stat().st_mtime
        except FileNotFoundError:
            return Finding("absent", source="outbox")
        except OSError:
            return Finding("cannot_tell", source="outbox")
        return Finding("accepted", at=datetime.fromtimestamp(written, UTC), source="outbox")

    def close(self) -> None:
        """Nothing is held open."""

    def forget(self, message_id: str) -> None:
        """Take a message away; nothing when it is not there."""
        self._path(message_id).unlink(missing_ok=True)

    def _path(self, message_id: str) -> Path:
        return self.directory / f"{ensure_message_id(message_id)}.eml"


def _link_first(temporary: Path, path: Path) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    return True


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
