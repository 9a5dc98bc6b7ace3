"""The log's one writer: a batch of entries, from its bytes to a signed tree (SPEC.md 25.2).

The order is the point. Entries are durable, then hashes; the new tree is signed and its row swapped
for the old one; then the checkpoint is put where everybody reads it. Only after that anything is
acknowledged. The signature is shown to nobody before the row is swapped, so that two writers never
show two trees. After any failure nothing more is written: what the disk holds then is unknown, and
the next start finds out (``zkwm.transparency_log.recovery``).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from zkwm.locks import FileLock
from zkwm.transparency_log.database import HeadRow, LogDatabase
from zkwm.transparency_log.disk import TooManyFilesError
from zkwm.transparency_log.entries import Entry
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


class NotBegunError(CouldNotCheck):
    """A batch of which nothing was written, for want of file descriptors; the log goes on."""


class TreeSigner(Protocol):
    """The key of a log: signs heads of its tree, and knows its own signatures again."""

    @property
    def origin(self) -> str:
        """The name of the log, fixed when it began."""

    def sign(self, head: TreeHead) -> bytes:
        """The signed checkpoint of a tree."""

    def read(self, checkpoint: bytes) -> TreeHead:
        """The tree of a checkpoint that this key signed. Raises CouldNotCheck for any other."""


class Log:
    """A log that is open for writing. ``zkwm.transparency_log.recovery.open_log`` makes it."""

    def __init__(
        self,
        files: TileFolder,
        database: LogDatabase,
        signer: TreeSigner,
        lock: FileLock,
        row: HeadRow,
    ) -> None:
        """Go on from ``row``, whose tree the files hold and whose checkpoint is published."""
        self.files = files
        self.database = database
        self.signer = signer
        self._lock = lock
        self._row = row
        self._edge: dict[Tile, bytes] = {}
        self._stopped = ""
        self._held = ""

    @property
    def row(self) -> HeadRow:
        """The tree that was signed last, and its checkpoint."""
        return self._row

    @property
    def stopped(self) -> str:
        """Why nothing more is written; empty while the log works."""
        return self._stopped

    @property
    def held(self) -> str:
        """Why nothing is written for now; empty otherwise."""
        return self._held

    def stop(self, reason: str) -> None:
        """Write nothing more: the disk has shown that this log must not go on."""
        self._stopped = self._stopped or reason

    def hold(self, reason: str) -> None:
        """Write nothing until this is called with an empty reason."""
        self._held = reason

    def append(self, entries: Sequence[Entry]) -> HeadRow:
        """Append entries and return the signed tree that holds them, when all of it is durable.

        Raises CouldNotCheck; then the log stops, and entries of this batch may be in the tree that
        the next start signs, or may not. After NotBegunError, or while it is held, it goes on.
        """
        if self._stopped:
            raise CouldNotCheck(
                f"this log has stopped writing: {self._stopped}",
                hint="see to the cause and start zkwm registry serve again; "
                "what was acknowledged is kept",
            )
        if self._held:
            raise CouldNotCheck(
                f"this log takes no entries for now: {self._held}",
                hint="nothing of this batch was written; try again later",
            )
        try:
            return self._append(entries)
        except NotBegunError:
            raise
        except OSError as error:
            self.stop(f"its disk failed ({error.strerror})")
            raise CouldNotCheck(
                f"cannot write to the log's folder: {error.strerror}",
                hint="nothing of this batch was acknowledged; make room or see to the disk, and "
                "start zkwm registry serve again",
            ) from None
        except BaseException as error:
            self.stop(str(error) or type(error).__name__)
            raise

    def _append(self, entries: Sequence[Entry]) -> HeadRow:
        """One batch, in the order of the module's docstring."""
        if self._lock.lost:
            raise CouldNotCheck("the file of the log's lock was removed or replaced")
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
        cause = error if isinstance(error, OSError) else error.__context__  # of a file not read
        if not isinstance(cause, OSError) or cause.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        raise NotBegunError(
            "the log has too many open files to take entries now",
            hint="try again in a few seconds; let the process have more open files (ulimit -n)",
        ) from None


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
