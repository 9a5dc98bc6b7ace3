"""Read files up to a limit; write files whole or not at all.

A judge reads files of the other party, so every read is bounded; a crash never leaves half a file.
File formats are in ``zkwm_protocols.encoding``.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError

_DEVICES = Path("/dev")
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def read_limited(path: str | Path, limit: int, *, regular: bool = False) -> bytes:
    """Read a file of at most ``limit`` bytes.

    Args:
        path: the file, or a pipe.
        limit: the most bytes.
        regular: whether pipes and devices, which could keep a reader waiting, are refused.

    Raises CouldNotCheck for an unreadable file, Malformed for a larger one.
    """
    try:
        opener = _open_at_once if regular else None
        with open(path, "rb", opener=opener) as file:
            found = os.fstat(file.fileno())
            if regular and not stat.S_ISREG(found.st_mode):
                raise CouldNotCheck(f"cannot read {path}: it is not a regular file")
            expected = min(limit, found.st_size)
            data = file.read(expected + 1)
            if len(data) > expected and expected < limit:  # a pipe, or a file that grows
                data += file.read(limit - expected)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable file name"
        raise CouldNotCheck(f"cannot read {path}: {reason}") from None
    if len(data) > limit:
        raise Malformed(f"{path} is larger than the {limit} bytes that such a file may have")
    return data


def write_atomic(
    path: str | Path,
    data: bytes,
    *,
    mode: int = 0o644,
    group: int | None = None,
    overwrite: bool = False,
    guard: AbstractContextManager[object] | None = None,
) -> None:
    """Write ``data`` to ``path`` durably, whole or not at all.

    A temporary file in the same folder is flushed to disk and renamed (or linked, without
    ``overwrite``), then the folder is flushed.

    Args:
        path: the file.
        data: its content.
        mode: the permissions of a new file.
        group: the group of the new file, which then has exactly ``mode`` whatever the umask.
        overwrite: whether an existing file may be replaced.
        guard: entered when all is written, left when the file is in its place; what it raises
            stops the writing.

    Raises UsageError where ``path`` exists and ``overwrite`` is false, or is a device, pipe or
    folder, CouldNotCheck where the disk refuses; then nothing is left behind, unless the error says
    that the new file is in its place.
    """
    path = Path(path)
    require_replaceable(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    written = False
    try:
        try:
            _write_temporary(temporary, data, mode, group)
            with guard or nullcontext():
                if overwrite:
                    temporary.replace(path)
                else:
                    _link_or_rename(temporary, path)
            written = True
        finally:
            temporary.unlink(missing_ok=True)
        flush_folder(path)
    except FileExistsError:
        raise UsageError(
            f"{path} exists", hint="choose another name; nothing was replaced"
        ) from None
    except OSError as error:
        if written:
            raise CouldNotCheck(
                f"cannot flush the folder of {path}: {error.strerror}",
                hint=f"the new {path.name} IS in its place, and a power cut now could undo that; "
                "see to the disk, and run the command again",
            ) from None
        raise CouldNotCheck(f"cannot write {path}: {error.strerror}") from None


def require_replaceable(path: Path) -> None:
    """Raise UsageError for a device, a pipe or a folder, whose place no file may take.

    Nor may one take the place of /dev/stdout, which can lead to a regular file.
    """
    try:
        mode = path.stat().st_mode
        device = path.parent.resolve() == _DEVICES
    except (OSError, ValueError, RuntimeError):  # not there, or no usable name: the writer tells
        return
    if device or not stat.S_ISREG(mode):
        raise UsageError(
            f"{path} is not a regular file",
            hint="give the name of a file; nothing was replaced",
        )


def flush_folder(path: Path) -> None:
    """Make the last change of the name ``path`` durable. Raises OSError.

    Windows cannot open folders, and keeps names in the journal of its file system.
    """
    if os.name == "nt":
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def leftovers(path: Path) -> list[Path]:
    """The temporary files of ``write_atomic`` beside ``path`` whose writer was killed, or works."""
    name = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}\.tmp")
    with suppress(OSError):
        return [file for file in path.parent.iterdir() if name.fullmatch(file.name)]
    return []


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting for the writer of a pipe. Raises OSError."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _write_temporary(temporary: Path, data: bytes, mode: int, group: int | None) -> None:
    """Write a new file and flush it to the disk. Raises OSError.

    A group other than ``group`` never has a right to it.
    """
    first = mode if group is None else mode & 0o700
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, first)
    with os.fdopen(descriptor, "wb") as file:
        if group is not None:
            if os.fstat(descriptor).st_gid != group:
                os.chown(descriptor, -1, group)
            os.chmod(descriptor, mode)  # noqa: PTH101 (an open file)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _link_or_rename(temporary: Path, path: Path) -> None:
    """Move a new file to ``path``. Raises FileExistsError where ``path`` exists.

    A hard link does both in one step. On file systems without links (FAT, some network disks) a
    check and a rename do, between which another process could create the file.
    """
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, "exists") from None
        temporary.rename(path)
