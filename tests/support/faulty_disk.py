"""A disk that fails, or loses its power, at the k-th operation; and a database counted with it.

What was not flushed when the power went is lost: files whose content was not flushed are cut off,
names whose folder was not flushed are as before.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.disk import Disk
from zkwm.transparency_log.entries import HeadRow, IndexedEntry

Fault = Literal["kill", "power", "EIO", "ENOSPC"]


class Killed(BaseException):
    """The process ends here."""


class FaultyDisk(Disk):
    """Counts operations; the one with number ``at`` (from 0) fails or never returns."""

    def __init__(self, at: int | None = None, fault: Fault = "kill") -> None:
        super().__init__()
        self.at, self.fault = at, fault
        self.done: list[tuple[str, str]] = []
        self._unflushed: set[Path] = set()
        self._unnamed: list[tuple[Path, Callable[[], None]]] = []

    def count(self, operation: str, name: str) -> bool:
        """Note one operation; whether it is the one that fails."""
        self.done.append((operation, name))
        return len(self.done) - 1 == self.at

    def fail(self) -> None:
        """Fail as asked: an error, or the end."""
        if self.fault in ("EIO", "ENOSPC"):
            number = getattr(errno, self.fault)
            raise OSError(number, os.strerror(number))
        if self.fault == "power":
            self.cut_power()
        raise Killed

    def cut_power(self) -> None:
        """Lose what was not flushed."""
        for path in self._unflushed:
            if path.exists():
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        for _, undo in reversed(self._unnamed):
            undo()

    def write(self, path: Path, data: bytes) -> None:
        if self.count("write", path.name):
            path.write_bytes(data[: len(data) // 2])
            self._unflushed.add(path)
            self.fail()
        path.write_bytes(data)
        self._unflushed.add(path)

    def flush(self, path: Path) -> None:
        if self.count("flush", path.name):
            self.fail()
        if path.is_dir():
            self._unnamed = [(name, undo) for name, undo in self._unnamed if name.parent != path]
        self._unflushed.discard(path)

    def flush_all(self, paths: Any) -> None:
        for path in list(paths):
            self.flush(path)

    def rename(self, source: Path, target: Path) -> None:
        if self.count("rename", target.name):
            self.fail()
        before = target.read_bytes() if target.exists() else None
        source.replace(target)
        if source in self._unflushed:
            self._unflushed.remove(source)
            self._unflushed.add(target)

        def undo() -> None:
            if before is None:
                target.unlink(missing_ok=True)
            else:
                target.write_bytes(before)

        self._unnamed.append((target, undo))

    def make_folder(self, path: Path) -> None:
        if self.count("folder", path.name):
            self.fail()
        super().make_folder(path)
        self._unnamed.append((path, lambda: _remove_tree(path)))

    def remove(self, path: Path) -> None:
        if self.count("remove", path.name):
            self.fail()
        super().remove(path)


class CountedDatabase(LogDatabase):
    """A log's database whose swap is two operations of the disk: before it, and after it."""

    def __init__(self, location: Path | str, disk: FaultyDisk) -> None:
        super().__init__(location)
        self._disk = disk

    def swap(self, old: HeadRow, new: HeadRow, added: Sequence[IndexedEntry]) -> None:
        if self._disk.count("swap", str(new.size)):
            self._disk.fail()
        super().swap(old, new, added)
        if self._disk.count("swapped", str(new.size)):
            self._disk.fail()


def _remove_tree(path: Path) -> None:
    """Remove a folder that nobody has heard of."""
    if path.is_dir():
        for child in path.iterdir():
            if child.is_dir():
                _remove_tree(child)
            else:
                child.unlink()
        path.rmdir()
