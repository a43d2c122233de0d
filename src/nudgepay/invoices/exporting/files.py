"""A file that appears whole or not at all, for the eyes of its owner, and never over another one unasked."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nudgepay.errors import Refused, UsageError


class FileExists(Refused):
    """There is a file with this name already."""


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A stream whose content becomes `path` (mode 0600) when the block ends well; else nothing stays behind.

    Raises FileExists, unless `force`; UsageError when the directory cannot be written.
    """
    if path.exists() and not force:
        raise _exists(path)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise UsageError(f"{path}: the directory cannot be written ({error.strerror})") from error
    part = Path(name)
    try:
        with os.fdopen(descriptor, "w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        _publish(part, path, force=force)
    finally:
        part.unlink(missing_ok=True)


def _publish(part: Path, path: Path, *, force: bool) -> None:
    if force:
        part.replace(path)
        return
    try:
        path.hardlink_to(part)  # unlike a rename, never over a file that came meanwhile
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError:  # a file system without hard links
        if path.exists():
            raise _exists(path) from None
        part.replace(path)


def _exists(path: Path) -> FileExists:
    return FileExists(f"{path} exists already; choose another name or say --force")
