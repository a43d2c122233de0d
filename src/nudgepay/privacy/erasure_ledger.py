"""The ledger of erasures: a file outside of database and backups, so that a restored database can be cleaned again.

A line is on the disk before its transaction commits (`intent`), another after it (`done`). No name and no address is
in it: ids with the instants of their making, and keyed hashes.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nudgepay.config import Settings
from nudgepay.errors import OperationalError

NAME = "erasures.jsonl"


class LedgerUnwritable(OperationalError):
    """The ledger cannot be written, so nothing is erased."""


class ErasureLedger:
    """One directory, one file that only grows."""

    def __init__(self, directory: Path) -> None:
        """`directory` is made with the first line."""
        self.path = directory / NAME

    def append(self, line: dict[str, Any]) -> None:
        """Write one line and see it on the disk; raises LedgerUnwritable."""
        content = (json.dumps({"v": 1, **line}, sort_keys=True) + "\n").encode()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                size = os.fstat(handle).st_size
                broken = size and os.pread(handle, 1, size - 1) != b"\n"
                os.write(handle, (b"\n" if broken else b"") + content)
                os.fsync(handle)
            finally:
                os.close(handle)
            _sync(self.path.parent)
        except OSError as error:
            raise LedgerUnwritable(
                f"the ledger of erasures cannot be written ({type(error).__name__}): check ERASURE_LEDGER_DIR"
            ) from error

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every whole line; one that a crash cut off is passed over."""
        if not self.path.exists():
            return
        for line in self.path.read_text().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue

    def intend(self, erasure: str, **what: Any) -> None:
        """Last before the commit: what a replay needs."""
        self.append({"event": "intent", "erasure": erasure, **what})

    def close(self, erasure: str) -> None:
        """After the commit."""
        self.append({"event": "done", "erasure": erasure})

    def intents(self) -> list[dict[str, Any]]:
        """What is to be replayed, in order, whether it was done or cut off by a crash: both were wanted."""
        return [line for line in self.lines() if line.get("event") == "intent"]


def ledger_of(settings: Settings) -> ErasureLedger:
    """The ledger of this installation: `ERASURE_LEDGER_DIR`, or `erasures` under its home."""
    return ErasureLedger(settings.erasure_ledger_dir or settings.nudgepay_home / "erasures")


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
