"""Where a test's PostgreSQL keeps its files: in memory where there is room, because none needs to outlive its test."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 3 * 1024**3
"""Two servers at their largest take less than half of it."""
PREFIX = "np-server-"


@contextlib.contextmanager
def short_lived() -> Iterator[Path]:
    """A directory that is gone afterwards. Copying a database of 380 files costs a tenth here of what a disk takes."""
    has_room = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    if has_room:
        _remove_left_overs()
    parent = MEMORY if has_room else None
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent, ignore_cleanup_errors=True) as home:
        held = os.open(home, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_SH)
        try:
            yield Path(home)
        finally:
            os.close(held)


def _remove_left_overs() -> None:
    """A run that was killed holds its lock no longer, and its files must not stay in memory."""
    for left in MEMORY.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime < 60:
                continue
            held = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(held)
