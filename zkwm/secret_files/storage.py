"""Secret files on disk: permissions, one writer at a time, atomic and durable writes.

The bytes are encrypted before they get here (``zkwm.secret_files.encrypted``). A lock is known by
its inode and a file has one name: whoever removes the lock file, or links the secret file, gets an
error and not a second writer. Permissions are those of POSIX; Windows keeps a user's files from
others by the rights of their folder, which are not looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zkwm.files import leftovers, read_limited, write_atomic
from zkwm.locks import FileLock, acquire, file_lock, is_open_as
from zkwm_protocols.encoding import require_kind
from zkwm_protocols.errors import CouldNotCheck, Malformed, Unsupported, VaultUnusable

PRIVATE_MODE = 0o600
GROUP_VARIABLE = "ZKWM_GROUP_READABLE"
"""Set to 1, it lets the group read a secret file, as containers mount them."""
_COMMIT_SECONDS = 20.0
_MAGIC_BYTES = 64


def resolve(path: str | Path) -> Path:
    """The file behind any symbolic links, so that writing does not replace a link.

    Raises VaultUnusable for a name that no file can have, or links that run in a circle.
    """
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError):
        raise VaultUnusable(f"{str(path)!r} is not a usable file name") from None


def read_private(path: Path, limit: int, kind: str = "") -> bytes:
    """The bytes of a secret file.

    A file of another ``kind`` is refused as that, whatever its size and mode are.

    Raises VaultUnusable when it cannot be read, when other users may read or write it, or when it
    has a second name (a hard link, whose writer would not be seen); Malformed for more than
    ``limit`` bytes, or another kind.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise VaultUnusable(f"cannot read {path}: {error.strerror}") from None
    mode = found.st_mode
    if not stat.S_ISREG(mode):
        raise VaultUnusable(f"{path} is not a file")
    if kind:
        _require_kind(path, kind)
    if found.st_nlink > 1:
        raise VaultUnusable(
            f"{path} has {found.st_nlink} names (hard links), and each could open other blocks",
            hint="remove the other names, find -samefile FILE lists them; a symbolic link is fine",
        )
    if os.name != "nt" and mode & (0o037 if _group_may_read() else 0o077):
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


def _require_kind(path: Path, kind: str) -> None:
    """Raise Malformed or Unsupported, naming the file, for one of another kind or version."""
    try:
        with path.open("rb") as file:
            start = file.read(_MAGIC_BYTES)
    except OSError as error:
        raise VaultUnusable(f"cannot read {path}: {error.strerror}") from None
    try:
        require_kind(kind, start)
    except (Malformed, Unsupported) as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from None


def _group_may_read() -> bool:
    """Whether the owner lets a group read their secret files (POSIX)."""
    return os.name != "nt" and os.environ.get(GROUP_VARIABLE) == "1"


def write_private(
    path: Path,
    data: bytes,
    *,
    overwrite: bool,
    guard: contextlib.AbstractContextManager[object] | None = None,
) -> None:
    """Write a secret file atomically and durably, mode 0600.

    A file that is replaced keeps its group and the group's right to read, where the owner allows
    that (``GROUP_VARIABLE``). ``guard`` is that of ``zkwm.files.write_atomic``. Raises
    VaultUnusable when it cannot be written, UsageError when it exists and ``overwrite`` is false.
    """
    mode, group = PRIVATE_MODE, None
    if overwrite and _group_may_read():
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            mode, group = PRIVATE_MODE | found.st_mode & stat.S_IRGRP, found.st_gid
    try:
        write_atomic(path, data, mode=mode, group=group, overwrite=overwrite, guard=guard)
    except CouldNotCheck as error:
        before = (
            "nothing was lost, the old file is still there" if overwrite else "nothing was made"
        )
        raise VaultUnusable(
            error.message,
            hint=error.hint or f"{before}; make room or correct the permissions, and try again",
        ) from None


@dataclass(frozen=True)
class SeenFile:
    """The bytes of a file that was read: their number, and SHA-256 (32 bytes)."""

    size: int
    digest: bytes

    @classmethod
    def of(cls, data: bytes) -> SeenFile:
        """Those of these bytes."""
        return cls(len(data), hashlib.sha256(data).digest())


@dataclass(frozen=True)
class Held:
    """The lock of the secret file ``path`` while held."""

    path: Path
    lock: FileLock

    def replace(self, seen: SeenFile, data: bytes) -> None:
        """Write ``data``, unless the lock was lost or the file is no longer what was seen.

        A cleaner may remove the lock file, and a sync service replace the secret file, while a
        command works; whoever wrote now would undo what another process has recorded. Raises
        VaultUnusable, also where the file cannot be written.
        """
        write_private(self.path, data, overwrite=True, guard=self._unchanged(seen))

    @contextlib.contextmanager
    def _unchanged(self, seen: SeenFile) -> Iterator[None]:
        """Check that nothing was lost or changed, and hold it so until the new file is in place.

        The secret file itself is locked for that: check and rename are one step for all processes
        that write it, also where the lock file was removed. Windows removes and replaces no file
        that is open, the lock file included, and needs the secret file closed.
        """
        with contextlib.ExitStack() as stack:
            if os.name != "nt":
                self._lock_secret(stack)
            if self.lock.lost:
                raise VaultUnusable(
                    f"the lock file {self.lock.path} was removed or replaced while it was in use",
                    hint="nothing was changed; keep the folder from cleaners and sync services, "
                    "and run the command again",
                )
            try:
                same = SeenFile.of(read_private(self.path, seen.size)) == seen
            except Malformed:  # it has grown
                same = False
            if not same:
                raise _changed(self.path)
            yield

    def _lock_secret(self, stack: contextlib.ExitStack) -> None:
        """Lock the secret file until ``stack`` is left. Raises VaultUnusable."""
        try:
            descriptor = os.open(self.path, os.O_RDWR)
        except PermissionError as error:
            raise VaultUnusable(
                f"cannot open {self.path} for writing: {error.strerror}",
                hint=f"chmod 600 {self.path}, as its owner; then run the command again",
            ) from None
        except OSError as error:
            raise _cannot_lock(self.path, error) from None
        try:
            stack.callback(os.close, descriptor)
            acquire(descriptor, time.monotonic() + _COMMIT_SECONDS)
        except OSError as error:
            raise _cannot_lock(self.path, error) from None
        if not is_open_as(self.path, descriptor):
            raise _changed(self.path)


@contextlib.contextmanager
def exclusive(path: Path, *, wait_seconds: float) -> Iterator[Held]:
    """Hold the lock of the secret file ``path``: the file ``<name>.lock`` beside it.

    Files that a killed writer left behind are removed first. The lock ends with the process that
    holds it, however that ends; the lock file stays. Raises VaultUnusable when another process does
    not release it within ``wait_seconds``.
    """
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context(
                file_lock(path.with_name(f"{path.name}.lock"), wait_seconds=wait_seconds)
            )
        except OSError as error:
            raise _cannot_lock(path, error) from None
        for file in leftovers(path):  # only the holder of the lock writes: none is in use
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)
        yield Held(path, lock)


def clean(path: Path) -> None:
    """Remove what a killed writer of the secret file ``path`` left, where nobody is writing it."""
    if path.exists() and leftovers(path):
        with contextlib.suppress(VaultUnusable), exclusive(path, wait_seconds=0):
            return


def _cannot_lock(path: Path, error: OSError) -> VaultUnusable:
    """The error for a secret file whose lock is held by another process, or cannot be made."""
    if isinstance(error, TimeoutError):
        return VaultUnusable(
            f"another process is using {path}", hint="wait for it to end, and try again"
        )
    return VaultUnusable(
        f"cannot lock {path} by its lock file: {error.strerror}",
        hint="keep it on a local disk, in a folder that is writable and not full",
    )


def _changed(path: Path) -> VaultUnusable:
    """The error for a secret file that was changed or replaced while a command used it."""
    return VaultUnusable(
        f"{path} was changed while this command used it",
        hint="nothing was changed by this command; run it again",
    )
