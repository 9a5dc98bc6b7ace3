"""Secret files on disk: permissions, one writer at a time, atomic and durable writes.

POSIX only (``flock`` and permission bits). The bytes are encrypted before they get here
(``zkwm.secret_files.encrypted``). A lock is known by its inode and a file has one name: whoever
removes the lock file, or links the secret file, gets an error and not a second writer.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zkwm.files import read_limited, write_atomic
from zkwm_protocols.errors import CouldNotCheck, Malformed, VaultUnusable

PRIVATE_MODE = 0o600
GROUP_VARIABLE = "ZKWM_GROUP_READABLE"
"""Set to 1, it lets the group read a secret file, as containers mount them."""
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

    Raises VaultUnusable when it cannot be read, when other users may read or write it, or when it
    has a second name (a hard link, whose writer would not be seen); Malformed for more than
    ``limit`` bytes.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise VaultUnusable(f"cannot read {path}: {error.strerror}") from None
    mode = found.st_mode
    if not stat.S_ISREG(mode):
        raise VaultUnusable(f"{path} is not a file")
    if found.st_nlink > 1:
        raise VaultUnusable(
            f"{path} has {found.st_nlink} names (hard links), and each could open other blocks",
            hint="remove the other names, find -samefile FILE lists them; a symbolic link is fine",
        )
    if mode & (0o037 if os.environ.get(GROUP_VARIABLE) == "1" else 0o077):
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
            hint=error.hint
            or "nothing was lost, the old file is still there; make room or correct the "
            "permissions, and try again",
        ) from None


@dataclass(frozen=True)
class Held:
    """The lock of the secret file ``path`` while held: the file ``lock``, open as a number."""

    path: Path
    lock: Path
    descriptor: int

    def require(self, data: bytes) -> None:
        """Raise VaultUnusable unless the lock is still this one, and the file still ``data``.

        A cleaner may remove the lock file, and a sync service replace the secret file, while a
        command works; whoever wrote now would undo what another process has recorded.
        """
        if not _is_open_as(self.lock, self.descriptor):
            raise VaultUnusable(
                f"the lock file {self.lock} was removed or replaced while it was in use",
                hint="nothing was changed; keep the folder from cleaners and sync services, and "
                "run the command again",
            )
        try:
            same = read_private(self.path, len(data)) == data
        except Malformed:  # it has grown
            same = False
        if not same:
            raise VaultUnusable(
                f"{self.path} was changed while this command used it",
                hint="nothing was changed by this command; run it again",
            )


@contextlib.contextmanager
def exclusive(path: Path, *, wait_seconds: float) -> Iterator[Held]:
    """Hold the lock of the secret file ``path``: the file ``<name>.lock`` beside it.

    Files that a killed writer left behind are removed first. The lock ends with the process that
    holds it, however that ends; the lock file stays. Raises VaultUnusable when another process does
    not release it within ``wait_seconds``.
    """
    lock = path.with_name(f"{path.name}.lock")
    deadline = time.monotonic() + wait_seconds
    while True:
        descriptor = _open_lock(lock)
        try:
            _acquire(descriptor, path, deadline)
            if _is_open_as(lock, descriptor):
                _remove_leftovers(path)
                yield Held(path, lock, descriptor)
                return
        finally:
            os.close(descriptor)


def _is_open_as(path: Path, descriptor: int) -> bool:
    """Whether the file that is open as ``descriptor`` is the one that ``path`` names."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except OSError:
        return False


def _open_lock(lock: Path) -> int:
    """The lock file, made where it is missing. Raises VaultUnusable."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(lock, flags, PRIVATE_MODE)
    except OSError as error:
        raise VaultUnusable(
            f"cannot make the lock file {lock}: {error.strerror}",
            hint="the folder must be writable and not full",
        ) from None


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


def clean(path: Path) -> None:
    """Remove what a killed writer of the secret file ``path`` left, where nobody is writing it."""
    if path.exists():
        with contextlib.suppress(VaultUnusable), exclusive(path, wait_seconds=0):
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
