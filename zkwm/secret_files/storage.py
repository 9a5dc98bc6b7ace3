"""Secret files on disk: permissions, one writer at a time, atomic and durable writes.

POSIX only (``flock`` and permission bits). The bytes are encrypted before they get here
(``zkwm.secret_files.encrypted``). An old copy that somebody puts back cannot be recognized: never
use two copies of a vault.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from zkwm.files import read_limited, write_atomic
from zkwm_protocols.errors import CouldNotCheck, Malformed, VaultUnusable

PRIVATE_MODE = 0o600
_POLL_SECONDS = 0.02


def resolve(path: str | Path) -> Path:
    """The file behind any symbolic links, so that writing does not replace a link.

    Raises VaultUnusable for a name that no file can have, or links that run in a circle.
    """
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError):
        raise VaultUnusable(f"{str(path)!r} is not a usable file name") from None


def read_private(path: Path, limit: int) -> bytes:
    """The bytes of a secret file.

    Raises VaultUnusable when it cannot be read, or when other users may read or write it; Malformed
    for more than ``limit`` bytes.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise VaultUnusable(f"cannot read {path}: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        raise VaultUnusable(f"{path} is not a file")
    if mode & 0o077:
        raise VaultUnusable(
            f"{path} can be read or written by other users of this machine",
            hint=f"chmod 600 {path}",
        )
    try:
        return read_limited(path, limit)
    except Malformed:
        raise
    except CouldNotCheck as error:
        raise VaultUnusable(error.message) from None


def write_private(path: Path, data: bytes, *, overwrite: bool) -> None:
    """Write a secret file atomically and durably, mode 0600.

    Raises VaultUnusable when it cannot be written, UsageError when it exists and ``overwrite`` is
    false.
    """
    try:
        write_atomic(path, data, mode=PRIVATE_MODE, overwrite=overwrite)
    except CouldNotCheck as error:
        raise VaultUnusable(
            error.message,
            hint="nothing was lost, the old file is still there; make room or correct the "
            "permissions, and try again",
        ) from None


@contextlib.contextmanager
def exclusive(path: Path, *, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of the secret file ``path``: the file ``<name>.lock`` beside it.

    Files that a killed writer left behind are removed first. The lock ends with the process that
    holds it, however that ends; the lock file stays. Raises VaultUnusable when another process does
    not release it within ``wait_seconds``.
    """
    lock = path.with_name(f"{path.name}.lock")
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(lock, flags, PRIVATE_MODE)
    except OSError as error:
        raise VaultUnusable(
            f"cannot make the lock file {lock}: {error.strerror}",
            hint="the folder must be writable and not full",
        ) from None
    try:
        _acquire(descriptor, path, time.monotonic() + wait_seconds)
        _remove_leftovers(path)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, deadline: float) -> None:
    """Take the lock, trying until ``deadline`` (monotonic seconds). Raises VaultUnusable."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise VaultUnusable(
                    f"another process is using {path}", hint="wait for it to end, and try again"
                ) from None
            time.sleep(_POLL_SECONDS)
        except OSError as error:
            raise VaultUnusable(
                f"cannot lock {path}: {error.strerror}",
                hint="keep it on a local disk",
            ) from None
        else:
            return


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of ``zkwm.files.write_atomic`` whose writer was killed.

    Only the holder of the lock writes, so none of them is in use.
    """
    leftover = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}\.tmp")
    with contextlib.suppress(OSError):
        for file in path.parent.iterdir():
            if leftover.fullmatch(file.name):
                file.unlink(missing_ok=True)
