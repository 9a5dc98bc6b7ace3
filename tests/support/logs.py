"""Logs for tests: entries without statements, a signer, a folder in memory."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.faulty_disk import CountedDatabase, FaultyDisk
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.entries import Entry
from zkwm.transparency_log.log import Log, TreeSigner
from zkwm.transparency_log.recovery import create_log, open_log
from zkwm.transparency_log.tree_files import read_entries
from zkwm_protocols.errors import Malformed
from zkwm_protocols.transparency.tiles import TileHashes
from zkwm_protocols.transparency.tree import TreeHead, root_of

ORIGIN = "log.example/test"
_START = b"entry "


class TestSigner:
    """A key of a log that is as weak as tests want it."""

    __test__ = False

    def __init__(self, origin: str = ORIGIN) -> None:
        self.origin = origin

    def sign(self, head: TreeHead) -> bytes:
        body = f"{self.origin}\n{head.size}\n{head.root.hex()}\n"
        return f"{body}{hashlib.sha256(body.encode()).hexdigest()}\n".encode()

    def read(self, checkpoint: bytes) -> TreeHead:
        lines = checkpoint.decode().splitlines()
        head = TreeHead(int(lines[1]), bytes.fromhex(lines[2]))
        if self.sign(head) != checkpoint:
            raise Malformed("not signed by this key")
        return head

    def is_of_the_future(self, _: bytes) -> bool:
        return False


def describe(data: bytes) -> Entry:
    """What the index gets of a test's entry. Raises Malformed for other bytes."""
    if not data.startswith(_START):
        raise Malformed("no entry of a test")
    return Entry(data, hashlib.sha256(data).digest(), "somebody", "A-KEY", "text/plain")


def entries(start: int, end: int) -> list[Entry]:
    """The entries with these numbers."""
    return [describe(_START + str(number).encode()) for number in range(start, end)]


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder whose flushes cost nothing, where the system has one."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="zkwm-log-", dir=memory if memory.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def begin(folder: Path, location: Path | str | None = None) -> None:
    """An empty log."""
    database = LogDatabase(location or folder / "database.sqlite")
    create_log(folder, TestSigner(), database, FaultyDisk())
    database.close()


@contextmanager
def opened(
    folder: Path, disk: FaultyDisk | None = None, location: Path | str | None = None
) -> Iterator[Log]:
    """A log, repaired and held."""
    disk = disk or FaultyDisk()
    database = CountedDatabase(location or folder / "database.sqlite", disk)
    try:
        with open_log(folder, TestSigner(), database, describe, disk) as log:
            yield log
    finally:
        database.close()


@contextmanager
def opened_with(folder: Path, signer: TreeSigner) -> Iterator[Log]:
    """A log of this key, repaired and held."""
    database = LogDatabase(folder / "database.sqlite")
    try:
        with open_log(folder, signer, database, describe, FaultyDisk()) as log:
            yield log
    finally:
        database.close()


def contents(log: Log) -> list[bytes]:
    """All entries of the signed tree, read from files and compared with their hashes."""
    return [data for _, data in read_entries(log.files, 0, log.row.size)]


def require_prefix(log: Log, seen: TreeHead) -> None:
    """Fail unless the log's tree begins with a tree that was seen."""
    assert seen.size <= log.row.size
    assert root_of(seen.size, TileHashes(log.row.size, log.files.read)) == seen.root
