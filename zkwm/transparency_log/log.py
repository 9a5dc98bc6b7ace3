"""The log's one writer: a batch of entries, from its bytes to a signed tree (SPEC.md 25.2).

The order is the point. Entries are durable, then hashes; the new tree is signed and its row swapped
for the old one; then the checkpoint is put where everybody reads it. Only after that anything is
acknowledged. The signature is shown to nobody before the row is swapped, so that two writers never
show two trees. After any failure nothing more is written: what the disk holds then is unknown, and
the next start finds out (``zkwm.transparency_log.recovery``). Where space, files or the database
were wanting, the same process makes that start (``Log.resume``).
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from zkwm.locks import FileLock
from zkwm.sql_database import DatabaseAwayError
from zkwm.transparency_log.database import LogDatabase
from zkwm.transparency_log.disk import TooManyFilesError
from zkwm.transparency_log.entries import Entry, HeadRow
from zkwm.transparency_log.refusals import RefusedError
from zkwm.transparency_log.tile_folder import TileFolder
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    TileHashes,
    grown,
    read_bundle,
)
from zkwm_protocols.transparency.tree import TreeHead, root_of


class NotBegunError(RefusedError):
    """A batch of which nothing was written, for want of file descriptors; the log goes on."""


Find = Callable[[], tuple[HeadRow, list[Entry]]]
"""What a start does (SPEC.md 25.3): repairs, and returns the row and the entries ahead of it."""
_KEPT = "try again later; what was acknowledged is kept"
_WANTING = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)


class TreeSigner(Protocol):
    """The key of a log: signs heads of its tree, and knows its own signatures again."""

    @property
    def origin(self) -> str:
        """The name of the log, fixed when it began."""

    def sign(self, head: TreeHead) -> bytes:
        """The signed checkpoint of a tree."""

    def read(self, checkpoint: bytes) -> TreeHead:
        """The tree of a checkpoint that this key signed. Raises CouldNotCheck for any other."""

    def is_of_the_future(self, checkpoint: bytes) -> bool:
        """Whether a signature under this checkpoint of ours says a time that is yet to come."""


class Log:
    """A log that is open for writing. ``zkwm.transparency_log.recovery.open_log`` makes it."""

    def __init__(
        self,
        files: TileFolder,
        database: LogDatabase,
        signer: TreeSigner,
        lock: FileLock,
        find: Find,
    ) -> None:
        """Go on from what ``find`` finds, now and after each interruption."""
        self.files = files
        self.database = database
        self.signer = signer
        self._lock = lock
        self._find = find
        self._row, self._ahead = find()
        self._edge: dict[Tile, bytes] = {}
        self._stopped = ""
        self._interrupted = ""
        self._held = ""

    @property
    def row(self) -> HeadRow:
        """The tree that was signed last, and its checkpoint."""
        return self._row

    @property
    def stopped(self) -> str:
        """Why nothing more is written, for the operator; empty while the log works."""
        return self._stopped

    @property
    def interrupted(self) -> str:
        """What was wanting when a batch failed, until ``resume`` finds it there; or empty."""
        return self._interrupted

    @property
    def held(self) -> str:
        """Why nothing is written for now, in words for strangers; empty otherwise."""
        return self._held

    def stop(self, reason: str) -> None:
        """Write nothing more: the disk, or a witness, has shown that this log must not go on."""
        self._stopped = self._stopped or reason

    def hold(self, reason: str) -> None:
        """Write nothing until this is called with an empty reason."""
        self._held = reason

    def require_writing(self) -> None:
        """Raise RefusedError while nothing is written."""
        if self._stopped:
            raise RefusedError("this log has stopped writing", hint=_KEPT)
        if self._interrupted:
            raise RefusedError("this log waits for space, files or its database", hint=_KEPT)
        if self._held:
            raise RefusedError(
                f"this log takes no entries for now: {self._held}",
                hint="nothing of this batch was written; try again later",
            )

    def take_in(self) -> None:
        """Append the entries that were durable and not signed when the last writer ended.

        Nothing is appended before them. Raises as ``append``.
        """
        if self._ahead:
            self._guarded(self._ahead)
            self._ahead = []

    def append(self, entries: Sequence[Entry]) -> HeadRow:
        """Append entries and return the signed tree that holds them, when all of it is durable.

        Raises CouldNotCheck; then the log stops, or is interrupted where it wanted for space, files
        or its database, and entries of this batch may be in a tree that is signed later, or may
        not. After NotBegunError, or while it is held, it goes on.
        """
        self.take_in()
        return self._guarded(entries)

    def resume(self) -> None:
        """After an interruption, do what a start does, and go on; or stop, or stay interrupted."""
        if self._stopped or not self._interrupted:
            return
        try:
            self._require_lock()
            row, ahead = self._find()
            _require_begins(self.files, self._row, row)
        except (OSError, CouldNotCheck) as error:
            if not _is_want(error):
                self.stop(str(error))
            return
        self._row, self._ahead, self._edge = row, ahead, {}
        self._interrupted = ""

    def _guarded(self, entries: Sequence[Entry]) -> HeadRow:
        """One batch; after an error the log is stopped or interrupted."""
        self.require_writing()
        try:
            return self._append(entries)
        except NotBegunError:
            raise
        except OSError as error:
            self._end(error, f"its disk failed ({error.strerror})")
            raise CouldNotCheck(
                f"cannot write to the log's folder: {error.strerror}",
                hint="nothing of this batch was acknowledged; make room or see to the disk, and "
                "start zkwm registry serve again if it has ended",
            ) from None
        except BaseException as error:
            self._end(error, str(error) or type(error).__name__)
            raise

    def _end(self, error: BaseException, reason: str) -> None:
        """Write nothing before a start, which ``resume`` makes where the cause may pass."""
        if _is_want(error):
            self._interrupted = reason
        else:
            self.stop(reason)

    def _require_lock(self) -> None:
        """Raise CouldNotCheck unless this process still holds the log."""
        if self._lock.lost:
            raise CouldNotCheck("the file of the log's lock was removed or replaced")

    def _append(self, entries: Sequence[Entry]) -> HeadRow:
        """One batch, in the order of the module's docstring."""
        self._require_lock()
        old = self._row
        size = old.size + len(entries)
        with _not_begun():
            added = dict(grown(old.size, [entry.data for entry in entries], self._read))
            edge = {**self._edge, **added}
            hashes = TileHashes(size, lambda tile: _find(edge, tile, self))
            head = TreeHead(size, root_of(size, hashes))
            _require_goes_on(old, hashes, added)
            self.files.put(added.items())
        new = HeadRow(head.size, head.root, self.signer.sign(head))
        indexed = [entry.at(old.size + number) for number, entry in enumerate(entries)]
        self.database.swap(old, new, indexed)
        self.files.put_checkpoint(new.checkpoint)
        self._row = new
        self._edge = _last_of_each_level(edge)
        self.files.remove_partial(tile for tile in added if tile.width == WIDTH)
        return new

    def _read(self, tile: Tile) -> bytes:
        """A tile of the tree that was signed last."""
        return _find(self._edge, tile, self)


def _find(held: dict[Tile, bytes], tile: Tile, log: Log) -> bytes:
    """A tile from memory, or else from its file."""
    content = held.get(tile)
    return log.files.read(tile) if content is None else content


@contextmanager
def _not_begun() -> Iterator[None]:
    """Before the first file has its name, want of file descriptors is no reason to stop."""
    try:
        yield
    except (TooManyFilesError, CouldNotCheck) as error:
        if _number(error) not in (errno.EMFILE, errno.ENFILE):
            raise
        raise NotBegunError(
            "the log has too many open files to take entries now",
            hint="try again in a few seconds; its operator can let it have more (ulimit -n)",
        ) from None


def _number(error: BaseException) -> int | None:
    """The system's number of an error, also of a file that could not be read."""
    cause = error if isinstance(error, OSError) else error.__context__
    return cause.errno if isinstance(cause, OSError) else None


def _is_want(error: BaseException) -> bool:
    """Whether space, files or the database were wanting, which may pass without a new process."""
    return isinstance(error, DatabaseAwayError) or _number(error) in _WANTING


def _require_begins(files: TileFolder, old: HeadRow, new: HeadRow) -> None:
    """What was found after an interruption is the tree of before, or grew out of it."""
    hashes = TileHashes(new.size, files.read)
    if new.size < old.size or root_of(old.size, hashes) != old.root:
        raise CouldNotCheck(
            f"another process has written to this log: its row is no tree that begins with that of "
            f"size {old.size:,}",
            hint="run one zkwm registry serve for each log",
        )


def _require_goes_on(old: HeadRow, hashes: TileHashes, added: dict[Tile, bytes]) -> None:
    """The new tree begins with the old one, and so do the entries that are written again.

    ``hashes`` are those that the new root was made of. Raises CouldNotCheck (SPEC.md 25.2).
    """
    if root_of(old.size, hashes) != old.root:
        raise _damaged(f"its tiles do not lead to the tree of size {old.size:,} that it signed")
    index, held = divmod(old.size, WIDTH)
    if not held:
        return
    bundle = next(tile for tile in added if (tile.level, tile.index) == (ENTRIES, index))
    known = read_bundle(bundle, added[bundle])[:held]
    if [leaf_hash(one) for one in known] != [hashes(0, index * WIDTH + i) for i in range(held)]:
        raise _damaged("its last entries have other hashes than the tree that it signed")


def _damaged(found: str) -> CouldNotCheck:
    """The error for files that were changed while the log ran."""
    return CouldNotCheck(
        f"the log's files were damaged while it ran: {found}",
        hint="nothing of this batch was written: restore the newest copy of the folder, and start "
        "zkwm registry serve again",
    )


def _last_of_each_level(tiles: dict[Tile, bytes]) -> dict[Tile, bytes]:
    """The partial tiles on the right edge, which the next batch reads."""
    last: dict[int, Tile] = {}
    for tile in tiles:
        held = last.get(tile.level)
        if held is None or (tile.index, tile.width) > (held.index, held.width):
            last[tile.level] = tile
    return {tile: tiles[tile] for tile in last.values() if tile.width < WIDTH}
