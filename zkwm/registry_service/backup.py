"""Back up a running registry, and make its folder again from a backup, compared with its root.

A backup is a folder of the same form as the registry's own, of one tree: the databases first, then
the tree of the row that was copied, so that the log holds whatever the databases speak of. Its
files are listed in ``SHA256SUMS``, which ``sha256sum -c`` reads too. Keys stay encrypted.

A restored copy must be the newest: what the log signed since would be signed another time. A log
with witnesses refuses to start from an older one (SPEC.md 25.3).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from zkwm.files import flush_folder, read_limited
from zkwm.registry_service.checksums import SUMS, copy_listed, write_sums
from zkwm.registry_service.folder import FOLDER, ServiceFolder
from zkwm.sql_engine import create_private
from zkwm.transparency_log.check import CheckedLog
from zkwm.transparency_log.database import FILE_NAME, LogDatabase
from zkwm.transparency_log.disk import Disk
from zkwm.transparency_log.entries import HeadRow
from zkwm.transparency_log.log_folder import DATABASE_VARIABLE, LogFolder
from zkwm.transparency_log.rebuild import rebuild
from zkwm.transparency_log.recovery import LOCK, PUBLIC, Describe, advance
from zkwm.transparency_log.tile_folder import WITNESSED, TileFolder
from zkwm.transparency_log.tree_files import require_files
from zkwm.transparency_log.tree_key import read_checkpoint
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError
from zkwm_protocols.transparency.tiles import Tile, tiles_of
from zkwm_protocols.transparency.tree import TreeHead

SERVICE_DATABASE = Path(FOLDER, "registry.sqlite")
MODELS = Path(FOLDER, "models")
"""The operator's own copies of models, which may be large; they are not in a backup."""
_DATABASES = (SERVICE_DATABASE, Path(FILE_NAME))
"""In this order: whatever the service speaks of is in the log by the time that it is copied."""
_FILE_LIMIT = 1 << 24
_LEFT_OUT = frozenset((PUBLIC, SUMS, LOCK))
_TILES_AT_ONCE = 4
_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class BackedUp:
    """What a backup holds: the log's name, its tree, and which databases are in it."""

    origin: str
    head: TreeHead
    databases: tuple[str, ...]


def back_up(folder: Path, output: Path) -> BackedUp:
    """Copy a registry, which may run, into a new folder; durable when this returns.

    Databases on a server are not in it: dump them before this runs, by the server's own tools.

    Raises UsageError where ``output`` exists or there is no log, CouldNotCheck where the registry
    cannot be read or the copy not be written, Malformed for files that are not the tree that was
    signed.
    """
    log = LogFolder(folder)
    keys = log.verifiers()
    if output.exists():
        raise UsageError(f"{output} exists", hint="name a new folder for each backup")
    with _new_folder(output) as work:
        _copy_files(folder, work)
        databases = () if os.environ.get(DATABASE_VARIABLE) else _copy_databases(folder, work)
        source = LogFolder(work) if databases else log
        database = source.database()
        try:
            row = database.head(keys[0].name)
        finally:
            database.close()
        if row is None:
            raise CouldNotCheck(f"{folder} has no log that was begun", hint="see that it is one")
        head = TreeHead(row.size, row.root)
        _copy_tree(log.public, work / PUBLIC, row)
        _copy_witnessed(log.public, work / PUBLIC, row)
        require_files(TileFolder(work / PUBLIC, Disk()), head)
        write_sums(work)
    return BackedUp(keys[0].name, head, databases)


def restore(backup: Path, folder: Path, describe: Describe) -> CheckedLog:
    """Make a registry's folder from a backup; every file, entry and hash is verified.

    The index of the log is made again from its tree, whose root has to be that of the row; the row
    of a database on a server, which was dumped before, goes forward to that tree. The service's
    database is the one of the backup. Nothing is left where anything does not fit.

    Args:
        backup: as ``back_up`` made it.
        folder: of the registry; missing, or empty.
        describe: reads an entry.

    Raises UsageError where the folder has something, CouldNotCheck, Malformed, InvalidSignature or
    InvalidLogProof for a backup that is damaged.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{folder} is not empty",
            hint="a registry is restored into an empty folder. If this one is newer, go on from "
            "it: what it has signed since would be signed another time",
        )
    with _new_folder(folder) as work:
        copy_listed(backup, work)
        if ServiceFolder(backup).there:  # without a file in it where it is on a server
            ServiceFolder(work).create()
        log = LogFolder(work)
        database = log.database()
        try:
            _go_forward(log, database, describe)
            checked = rebuild(work, log.verifiers(), database, describe)
        finally:
            database.close()
        _require_whole(work)
        (work / LOCK).unlink(missing_ok=True)
    return checked


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A private folder that takes its name when the block ends well, and else is removed.

    Raises CouldNotCheck.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            yield work
            if target.is_dir():
                target.rmdir()
            work.rename(target)
            flush_folder(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except sqlite3.Error as error:
        raise CouldNotCheck(f"a database cannot be copied: {error}") from None
    except OSError as error:
        raise CouldNotCheck(
            f"cannot write {target}: {error.strerror}", hint="make room, or name another folder"
        ) from None


def _copy_files(folder: Path, work: Path) -> None:
    """Copy everything but tree, databases and models, with its mode."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] in _LEFT_OUT or ".sqlite" in path.name or path.is_symlink():
            continue
        if name.is_relative_to(MODELS):
            continue
        if path.is_dir():
            (work / name).mkdir(mode=0o700)
        elif path.is_file():
            mode = path.stat().st_mode & 0o777
            descriptor = os.open(work / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(read_limited(path, _FILE_LIMIT, regular=True))


def _copy_databases(folder: Path, work: Path) -> tuple[str, ...]:
    """Copy the files of SQLite, each as of one moment, while others write."""
    copied = []
    for name in _DATABASES:
        if not (folder / name).exists():
            continue
        create_private(work / name)
        address = f"{(folder / name).absolute().as_uri()}?mode=rw"
        with (
            closing(sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS)) as source,
            closing(sqlite3.connect(work / name)) as target,
        ):
            source.backup(target)
        copied.append(name.as_posix())
    return tuple(copied)


def _copy_tree(public: Path, target: Path, row: HeadRow) -> None:
    """Copy the tiles of the row's tree, and its checkpoint; the log may have grown since."""
    source, disk = TileFolder(public, Disk()), Disk()
    copy = TileFolder(target, disk)
    try:
        target.mkdir()
        some: list[tuple[Tile, bytes]] = []
        for tile in tiles_of(row.size):
            some.append((tile, _read(source, tile)))
            if len(some) == _TILES_AT_ONCE:
                copy.put(some)
                some.clear()
        copy.put(some)
        copy.put_checkpoint(row.checkpoint)
    finally:
        disk.close()


def _read(files: TileFolder, tile: Tile) -> bytes:
    """A tile; of a partial one that goes while it is read, the start of the full one."""
    try:
        return files.read(tile)
    except CouldNotCheck:
        return files.read(tile)


def _copy_witnessed(public: Path, target: Path, row: HeadRow) -> None:
    """Copy the tree with cosignatures, unless it is newer than the row."""
    data = TileFolder(public, Disk()).checkpoint(WITNESSED)
    if data is None:
        return
    keys = LogFolder(public.parent).verifiers()
    if read_checkpoint(data, keys).checkpoint.head.size <= row.size:
        (target / WITNESSED).write_bytes(data)


def _go_forward(log: LogFolder, database: LogDatabase, describe: Describe) -> None:
    """Bring the row of a database that was dumped before the tree was copied up to that tree.

    Raises CouldNotCheck where it is of another tree.
    """
    keys, files = log.verifiers(), TileFolder(log.public, Disk())
    row, checkpoint = database.head(keys[0].name), files.checkpoint()
    if row is None or checkpoint is None:
        return
    head = read_checkpoint(checkpoint, keys).checkpoint.head
    if head.size > row.size:
        new = HeadRow(head.size, head.root, checkpoint)
        read = lambda data: read_checkpoint(data, keys).checkpoint.head  # noqa: E731
        advance(files, database, read, row, new, describe)


def _require_whole(work: Path) -> None:
    """Raise Malformed where the service's database is damaged."""
    path = work / SERVICE_DATABASE
    if not path.exists():
        return
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchone()
    if found != ("ok",):
        raise Malformed(
            f"the database {SERVICE_DATABASE} of the backup is damaged", hint="take an earlier one"
        )
