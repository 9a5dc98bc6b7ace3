"""A folder in memory, where there is one, for readers that take a path."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


@functools.cache
def folder() -> Path:
    """The folder of this process."""
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="zkwm-fuzz-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def from_disk(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of bytes from a reader of a file with this name, mode 0600."""

    @functools.cache
    def place() -> Path:
        path = folder() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def reader(data: bytes) -> object:
        descriptor = os.open(place(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123  (a descriptor, for its mode)
            file.write(data)
        return read(place())

    return reader
