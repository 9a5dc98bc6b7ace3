"""Reading with a limit and writing whole files or nothing.

Not a file format: those are in ``zkwm_protocols.encoding``. ``-`` is the command line's business.
"""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def read_limited(path: str | Path, limit: int) -> bytes:
    """The bytes of a regular file of at most ``limit`` bytes. Raises CouldNotCheck or Malformed."""
    try:
        with Path(path).open("rb") as file:
            expected = min(limit, os.fstat(file.fileno()).st_size)
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
    path: str | Path, data: bytes, *, mode: int = 0o644, overwrite: bool = False
) -> None:
    """Write ``data`` to ``path`` whole, durably, or not at all.

    A new file is written beside it, flushed to disk and renamed (or linked, where nothing may be
    overwritten), then the folder is flushed. Raises UsageError when ``path`` exists and
    ``overwrite`` is false, and CouldNotCheck when the disk refuses; then nothing is left behind.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if overwrite:
                temporary.replace(path)
            else:
                _link_or_rename(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        raise UsageError(
            f"{path} exists", hint="choose another name; nothing was replaced"
        ) from None
    except OSError as error:
        raise CouldNotCheck(f"cannot write {path}: {error.strerror}") from None


def _link_or_rename(temporary: Path, path: Path) -> None:
    """Give the new file its name if nothing has it; FileExistsError otherwise.

    A hard link does so in one step. File systems without links (FAT, some network disks) get a
    look and a rename, between which another process could put a file there.
    """
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, "exists") from None
        temporary.rename(path)
