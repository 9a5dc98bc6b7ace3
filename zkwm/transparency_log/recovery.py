"""The start of a log: find what a crash or a restored copy left, repair forward, or refuse.

The row in the database says which tree was signed last. Files may be ahead of it, since entries are
durable before their tree is signed, and the checkpoint's file may be behind it. What is ahead is
taken in and signed; what contradicts the row is refused; a smaller tree, or another one, is never
signed (SPEC.md 25.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zkwm.locks import file_lock
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.disk import Disk
from zkwm.transparency_log.entries import Entry, HeadRow
from zkwm.transparency_log.log import Log, TreeSigner
from zkwm.transparency_log.tile_folder import WITNESSED, TileFolder
from zkwm.transparency_log.tree_files import read_entries, require_files
from zkwm_protocols.errors import CouldNotCheck, ZkwmError
from zkwm_protocols.transparency.tiles import ENTRIES, WIDTH, Tile, TileHashes
from zkwm_protocols.transparency.tree import TreeHead, root_of

PUBLIC = "public"
LOCK = "writer.lock"
_LOCK_SECONDS = 1.0

Describe = Callable[[bytes], Entry]
"""From an entry's bytes to what is known of it. Raises Malformed."""


@contextmanager
def open_log(
    folder: Path,
    signer: TreeSigner,
    database: LogDatabase,
    describe: Describe,
    disk: Disk | None = None,
    ask: Callable[[Log], None] | None = None,
) -> Iterator[Log]:
    """Hold a log for writing, repaired.

    Args:
        folder: of the log, as ``create_log`` made it.
        signer: its key.
        database: its row and index.
        describe: reads an entry that is taken in.
        disk: how files are changed.
        ask: called before anything is signed, with the log as it was found; it may hold the log,
            or raise.

    Raises CouldNotCheck where another process holds it, or where files and row contradict each
    other; then nothing was changed.
    """
    operations = disk or Disk()
    try:
        with file_lock(folder / LOCK, wait_seconds=_LOCK_SECONDS) as lock:
            files = TileFolder(folder / PUBLIC, operations)
            log = Log(
                files, database, signer, lock, lambda: _find(files, database, signer, describe)
            )
            if ask is not None:
                ask(log)
            if not log.held:
                log.take_in()
            yield log
    except TimeoutError:
        raise CouldNotCheck(
            f"another process writes to the log {folder}",
            hint="one zkwm registry serve runs for each log; end the other one first",
        ) from None
    except OSError as error:
        raise CouldNotCheck(f"cannot write to the log {folder}: {error.strerror}") from None
    finally:
        operations.close()


def create_log(
    folder: Path, signer: TreeSigner, database: LogDatabase, disk: Disk | None = None
) -> HeadRow:
    """Begin a log with an empty tree, signed. Raises UsageError where there is one."""
    head = TreeHead(0, root_of(0, TileHashes(0, lambda _: b"")))
    row = HeadRow(head.size, head.root, signer.sign(head))
    operations = disk or Disk()
    try:
        (folder / PUBLIC).mkdir()
        try:
            database.create(signer.origin, row)
        except ZkwmError:
            (folder / PUBLIC).rmdir()
            raise
        TileFolder(folder / PUBLIC, operations).put_checkpoint(row.checkpoint)
    except OSError as error:
        raise CouldNotCheck(f"cannot begin a log in {folder}: {error.strerror}") from None
    finally:
        operations.close()
    return row


def _find(
    files: TileFolder, database: LogDatabase, signer: TreeSigner, describe: Describe
) -> tuple[HeadRow, list[Entry]]:
    """The row, repaired, and the entries that are ahead of it. Raises CouldNotCheck or OSError."""
    row = _repair_head(files, database, signer, describe)
    if signer.is_of_the_future(row.checkpoint):  # no verifier takes it; the tree stays the same
        again = HeadRow(row.size, row.root, signer.sign(TreeHead(row.size, row.root)))
        database.swap(row, again, ())
        files.put_checkpoint(again.checkpoint)
        row = again
    return row, _entries_ahead(files, row.size, describe)


def _repair_head(
    files: TileFolder, database: LogDatabase, signer: TreeSigner, describe: Describe
) -> HeadRow:
    """The row, once files, checkpoint and index agree with it."""
    row = database.head(signer.origin)
    if row is None:
        raise CouldNotCheck(
            f"the database ({database.label}) has no row of the log {signer.origin!r}",
            hint="give the database that the log was begun with (a PostgreSQL in "
            "ZKWM_REGISTRY_DATABASE), or restore it; where it is lost, zkwm registry rebuild makes "
            "it from the log's files (`adopt_checkpoint`)",
        )
    _require_signed(signer, row)
    if database.next_position() != row.size:
        raise CouldNotCheck(
            f"the index in {database.label} does not hold the {row.size:,} entries of the log",
            hint="run zkwm registry rebuild",
        )
    checkpoint = files.checkpoint()
    published = None if checkpoint is None else _published(signer, checkpoint)
    if published is not None and published.size > row.size:
        new = HeadRow(published.size, published.root, checkpoint or b"")
        advance(files, database, signer.read, row, new, describe)
        return new
    if published is not None and published.size == row.size and published.root != row.root:
        raise _two_trees(row.size)
    head = TreeHead(row.size, row.root)
    require_files(files, head)
    if published is not None:
        _require_begins(files, head, published)
    require_witnessed(files, signer.read, head)
    if checkpoint != row.checkpoint:
        files.put_checkpoint(row.checkpoint)
    return row


def _require_signed(signer: TreeSigner, row: HeadRow) -> None:
    """The row's checkpoint is of its tree, and signed by the log's own keys."""
    if signer.read(row.checkpoint) != TreeHead(row.size, row.root):
        raise CouldNotCheck(
            "the row of the log's database is not the tree of its checkpoint",
            hint="the database is damaged: restore it from a copy",
        )


def _published(signer: TreeSigner, checkpoint: bytes) -> TreeHead:
    """The tree of the checkpoint's file. Raises CouldNotCheck."""
    try:
        return signer.read(checkpoint)
    except CouldNotCheck as error:
        raise CouldNotCheck(
            f"the log's checkpoint file cannot be used: {error.message}",
            hint="see that key and folder belong together; a damaged checkpoint file may be "
            "removed, and is written again from the database",
        ) from None


def advance(
    files: TileFolder,
    database: LogDatabase,
    read: Callable[[bytes], TreeHead],
    row: HeadRow,
    new: HeadRow,
    describe: Describe,
) -> None:
    """Bring an older database up to a published tree, which counts if it begins with the row's.

    ``read`` verifies a checkpoint by the log's keys. Raises CouldNotCheck.
    """
    published = TreeHead(new.size, new.root)
    require_files(files, published)
    _require_begins(files, published, TreeHead(row.size, row.root))
    require_witnessed(files, read, published)
    added = [
        describe(data).at(position)
        for position, data in read_entries(files, row.size, published.size)
    ]
    database.swap(row, new, added)


def _require_begins(files: TileFolder, head: TreeHead, older: TreeHead) -> None:
    """The tree in the files begins with the older one. Raises CouldNotCheck."""
    hashes = TileHashes(head.size, files.read)
    if root_of(older.size, hashes) != older.root:
        raise _two_trees(older.size)


def require_witnessed(files: TileFolder, read: Callable[[bytes], TreeHead], head: TreeHead) -> None:
    """The tree begins with the one in ``checkpoint.witnessed``, where the log's keys signed that.

    Witnesses see no tree before its row and checkpoint are durable, so a larger one there proves
    that these are old. Raises CouldNotCheck.
    """
    data = files.checkpoint(WITNESSED)
    try:
        witnessed = None if data is None else read(data)
    except CouldNotCheck:  # not of this log's keys: it proves nothing
        return
    if witnessed is None:
        return
    if witnessed.size > head.size:
        raise CouldNotCheck(
            f"the log's own keys have signed a tree of size {witnessed.size:,} ({WITNESSED}), and "
            f"its newest one here has size {head.size:,}",
            hint="database and checkpoint are older copies than that file: restore the newest "
            "ones; nothing was signed and nothing was changed",
        )
    _require_begins(files, head, witnessed)


def _two_trees(size: int) -> CouldNotCheck:
    """The error for two trees of one log, of which one must never be signed."""
    return CouldNotCheck(
        f"the log's files and its database hold two different trees of size {size:,}",
        hint="copies of two times, or of two logs, were mixed: restore folder and database of one "
        "time; nothing was signed and nothing was changed",
    )


def _entries_ahead(files: TileFolder, size: int, describe: Describe) -> list[Entry]:
    """Entries that were durable and not yet signed when the last writer ended.

    A bundle that does not begin with the signed entries, or is damaged, was never acknowledged.
    """
    found: list[Entry] = []
    while True:
        index, held = divmod(size + len(found), WIDTH)
        signed = files.entries(Tile(ENTRIES, index, held)) if held else []
        for tile in files.bundles_ahead(index, held):
            try:
                entries = files.entries(tile)
                fresh = [describe(data) for data in entries[held:]]
            except CouldNotCheck:
                continue
            if entries[:held] == signed:
                found += fresh
                break
        else:
            return found
        if (size + len(found)) % WIDTH:
            return found
