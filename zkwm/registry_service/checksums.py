"""The list of a backup's files, as ``sha256sum`` writes and checks it.

Who restores copies what is listed and nothing else, and hashes what is copied, not what lay there
before: a file that changes meanwhile is found.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from zkwm.files import flush_folder, read_limited
from zkwm_protocols.errors import CouldNotCheck, Malformed

SUMS = "SHA256SUMS"
_SUMS_LIMIT = 1 << 28
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*)")
_PART = 1 << 20


def write_sums(folder: Path) -> None:
    """List all files below a folder; they and the list are durable when this returns.

    Raises OSError, Malformed for a name that cannot be listed.
    """
    lines = []
    for path in sorted(_files(folder)):
        line = f"{_copied(path, None)}  {path.relative_to(folder).as_posix()}"
        if not _LINE.fullmatch(line):
            raise Malformed(
                f"the name of {path.name[:100]!r} cannot be listed",
                hint="letters, digits, '.', '_' and '-' name the files of a registry",
            )
        lines.append(line)
    with (folder / SUMS).open("w", encoding="ascii") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    flush_folder(folder / SUMS)


def copy_listed(source: Path, target: Path) -> None:
    """Copy what a folder's list names into another folder, which is there and empty.

    Raises CouldNotCheck where a file is missing, Malformed for one that is another than listed, or
    is not listed.
    """
    listed = _read_sums(source)
    present = {path.relative_to(source).as_posix() for path in _files(source)} - {SUMS}
    if present != set(listed):
        name = sorted(present ^ set(listed))[0]
        what = "is not in its list" if name in present else "is missing"
        raise Malformed(f"{name} of the backup {what}", hint="take another backup")
    for name, digest in listed.items():
        path = target / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _copied(source / name, path) != digest:
            raise Malformed(f"{name} of the backup is damaged", hint="take another backup")
    for folder in {path.parent for path in _files(target)}:
        flush_folder(folder / "any")


def _read_sums(folder: Path) -> dict[str, str]:
    """The digests by name. Raises CouldNotCheck or Malformed."""
    text = read_limited(folder / SUMS, _SUMS_LIMIT, regular=True)
    found: dict[str, str] = {}
    for line in text.decode("ascii", "replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is None or {".", ".."} & set(match[2].split("/")) or match[2] in found:
            raise Malformed(f"{SUMS} of the backup is damaged", hint="take another backup")
        found[match[2]] = match[1]
    return found


def _files(folder: Path) -> Iterator[Path]:
    """All regular files below a folder. Raises Malformed for links, pipes and devices."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise Malformed(f"{path.name[:100]} is neither file nor folder")
        if path.is_file():
            yield path


def _copied(source: Path, target: Path | None) -> str:
    """Hash a file, flush it, and write it, flushed, to ``target``, where there is one."""
    digest = hashlib.sha256()
    try:
        descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        raise CouldNotCheck(f"cannot read {source}: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        if target is None:
            os.fsync(file.fileno())
            while part := file.read(_PART):
                digest.update(part)
            return digest.hexdigest()
        mode = os.fstat(file.fileno()).st_mode & 0o777
        opened = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(opened, "wb") as copy:
            while part := file.read(_PART):
                digest.update(part)
                copy.write(part)
            copy.flush()
            os.fsync(copy.fileno())
    return digest.hexdigest()
