"""Databases of tests lie in memory where there is room, on the disk where there is none, and nowhere afterwards."""

import fcntl
import os
import tempfile
from pathlib import Path

import pytest

import memory
from memory import short_lived


@pytest.fixture
def in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that stands for the memory, and has room."""
    monkeypatch.setattr(memory, "MEMORY", tmp_path)
    monkeypatch.setattr(memory, "ROOM", 0)
    return tmp_path


def test_a_directory_in_memory_is_gone_afterwards(in_memory: Path) -> None:
    with short_lived() as home:
        assert home.parent == in_memory
        (home / "data").write_text("rows")
    assert list(in_memory.iterdir()) == []


@pytest.mark.parametrize("lacking", ["room", "memory"])
def test_without_room_the_disk_is_taken(in_memory: Path, monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    if lacking == "room":
        monkeypatch.setattr(memory, "ROOM", 1 << 62)
    else:
        monkeypatch.setattr(memory, "MEMORY", in_memory / "none")
    with short_lived() as home:
        assert home.parent == Path(tempfile.gettempdir())


def test_what_a_killed_run_left_is_removed_and_what_another_run_holds_is_not(in_memory: Path) -> None:
    left, held, new = (in_memory / f"{memory.PREFIX}{name}" for name in ("left", "held", "new"))
    for place in (left, held, new):
        place.mkdir()
    for place in (left, held):
        os.utime(place, (0, 0))
    with_lock = os.open(held, os.O_RDONLY)
    fcntl.flock(with_lock, fcntl.LOCK_SH)
    with short_lived():
        assert (left.exists(), held.exists(), new.exists()) == (False, True, True)
    os.close(with_lock)
