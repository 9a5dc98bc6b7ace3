"""The few operations by which a log changes its folder, so that tests can fail each of them.

A file appears whole or not at all: written under another name, flushed, renamed, and then the
folder is flushed. A flush that failed is never tried again: what the disk holds then is unknown
(``zkwm.transparency_log.log`` stops, and the next start writes what it adopts once more).
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_FLUSHES_AT_ONCE = 8
_TEMPORARY = ".tmp"


class TooManyFilesError(OSError):
    """The process, or the system, has no file descriptor left; no file has its name yet."""


class Disk:
    """Operations on the disk. Each raises OSError."""

    def __init__(self) -> None:
        """Threads for flushes are made with the first of them."""
        self._threads: ThreadPoolExecutor | None = None
        self.changed_folders: set[Path] = set()
        """Folders in which a folder was made, until they are flushed."""

    def write(self, path: Path, data: bytes) -> None:
        """Write a file that is to be renamed; not yet durable. A leftover of that name goes."""
        with path.open("wb") as file:
            file.write(data)

    def flush(self, path: Path) -> None:
        """Make the content of a file, or the names in a folder, durable."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def flush_all(self, paths: Iterable[Path]) -> None:
        """Flush several files or folders at the same time, which costs little more than one."""
        chosen = list(paths)
        if len(chosen) == 1:
            self.flush(chosen[0])
            return
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_FLUSHES_AT_ONCE, "log-flush")
        outcomes = [self._threads.submit(self.flush, path) for path in chosen]
        errors = [error for one in outcomes if (error := one.exception()) is not None]
        for error in sorted(errors, key=_without_descriptor):  # a flush that failed comes first
            raise error

    def rename(self, source: Path, target: Path) -> None:
        """Give a file its name, in place of a file that has it."""
        source.replace(target)

    def make_folder(self, path: Path) -> None:
        """Make one folder."""
        path.mkdir(exist_ok=True)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink(missing_ok=True)

    def close(self) -> None:
        """End the threads. Safe to call twice."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None


def _without_descriptor(error: BaseException) -> bool:
    """Whether there was no file descriptor left, so that nothing was tried."""
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)


def put_durably(disk: Disk, *stages: Mapping[Path, bytes]) -> None:
    """Put files at their places, whole; those of a stage are durable before the next gets names.

    All of them are durable when this returns. Folders are made where they are missing. Raises
    OSError; then any of the files may be in its place, and whether it is durable is unknown. After
    TooManyFilesError none of them is, and this may be called again.
    """
    left = set(disk.changed_folders)
    changed = [_make_folders(disk, {path.parent for path in files}) for files in stages]
    changed[0] |= left
    disk.changed_folders.update(*changed)
    try:
        for files in stages:
            for path, data in files.items():
                disk.write(_temporary(path), data)
        disk.flush_all(_temporary(path) for files in stages for path in files)
    except OSError as error:
        if _without_descriptor(error):
            raise TooManyFilesError(error.errno, error.strerror) from None
        raise
    for files, folders in zip(stages, changed, strict=True):
        for path in files:
            disk.rename(_temporary(path), path)
        disk.flush_all(sorted(folders | {path.parent for path in files}))
    disk.changed_folders.clear()


def remove_quietly(disk: Disk, paths: Iterable[Path]) -> None:
    """Remove files that nobody needs; one that stays harms nothing."""
    for path in paths:
        with contextlib.suppress(OSError):
            disk.remove(path)


def _temporary(path: Path) -> Path:
    """The name of a file before it has its own."""
    return path.with_name(f".{path.name}{_TEMPORARY}")


def _make_folders(disk: Disk, folders: Iterable[Path]) -> set[Path]:
    """Make folders and those above them; return the folders in which names have changed."""
    changed = set()
    for folder in folders:
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for path in reversed(missing):
            disk.make_folder(path)
        changed |= {path.parent for path in missing}
    return changed
