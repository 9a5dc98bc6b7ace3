"""The files of a log: tiles, bundles of entries and the checkpoint, below one folder.

A web server may hand the folder out as it is, and whoever checks a log has a copy of it from
anybody: pipes and devices in it are refused. A tile is written once and never changes; the
checkpoint is replaced.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from zkwm.files import read_limited
from zkwm.transparency_log.disk import Disk, put_durably, remove_quietly
from zkwm_protocols.errors import CouldNotCheck, Malformed
from zkwm_protocols.transparency.tiles import (
    ENTRIES,
    MAXIMUM_ENTRY,
    WIDTH,
    Tile,
    read_bundle,
    write_bundle,
)
from zkwm_protocols.transparency.tree import HASH_BYTES

CHECKPOINT = "checkpoint"
WITNESSED = "checkpoint.witnessed"
CHECKPOINT_LIMIT = 2**20
BUNDLE_LIMIT = WIDTH * (MAXIMUM_ENTRY + 2)


class TileFolder:
    """The public folder of a log. ``disk`` is how it is changed."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.folder = folder
        self._disk = disk

    def read(self, tile: Tile) -> bytes:
        """The content of a tile; of a partial one also where only the full one is left.

        Raises CouldNotCheck where it is missing, Malformed where it has another length.
        """
        path = self.folder / tile.path
        if tile.width < WIDTH and not path.is_file():
            return _start_of(self.read(tile.full), tile)
        limit = BUNDLE_LIMIT if tile.level == ENTRIES else tile.width * HASH_BYTES
        return read_limited(path, limit, regular=True)

    def entries(self, tile: Tile) -> list[bytes]:
        """The entries of a bundle. Raises CouldNotCheck or Malformed."""
        return read_bundle(tile, self.read(tile))

    def put(self, contents: Iterable[tuple[Tile, bytes]]) -> None:
        """Make tiles durable: all bundles of entries first, so that hashes always have entries.

        Raises OSError; then any of them may be there, durable or not.
        """
        bundles: dict[Path, bytes] = {}
        hashes: dict[Path, bytes] = {}
        for tile, content in contents:
            chosen = bundles if tile.level == ENTRIES else hashes
            chosen[self.folder / tile.path] = content
        put_durably(self._disk, bundles, hashes)

    def put_checkpoint(self, checkpoint: bytes, name: str = CHECKPOINT) -> None:
        """Replace the checkpoint, durably. Raises OSError."""
        put_durably(self._disk, {self.folder / name: checkpoint})

    def checkpoint(self, name: str = CHECKPOINT) -> bytes | None:
        """The checkpoint's file; None where there is none. Raises CouldNotCheck."""
        path = self.folder / name
        return read_limited(path, CHECKPOINT_LIMIT, regular=True) if path.exists() else None

    def bundles_ahead(self, index: int, held: int) -> list[Tile]:
        """Bundles at ``index`` with more than ``held`` entries, the widest first."""
        full = Tile(ENTRIES, index)
        found = [full] if (self.folder / full.path).is_file() else []
        partial = (self.folder / full.path).with_name((self.folder / full.path).name + ".p")
        with contextlib.suppress(OSError, Malformed):
            names = [int(path.name) for path in partial.iterdir() if path.name.isdecimal()]
            found += [
                Tile(ENTRIES, index, width) for width in sorted(names, reverse=True)
                if held < width < WIDTH
            ]  # fmt: skip
        return found

    def remove_partial(self, full: Iterable[Tile]) -> None:
        """Remove the partial tiles of tiles that are full; one that stays harms nothing."""
        for tile in full:
            path = self.folder / tile.path
            folder = path.with_name(f"{path.name}.p")
            with contextlib.suppress(OSError):
                remove_quietly(self._disk, list(folder.iterdir()))
                folder.rmdir()


def _start_of(content: bytes, tile: Tile) -> bytes:
    """The content of a partial tile out of that of the full one."""
    if tile.level != ENTRIES:
        return content[: tile.width * HASH_BYTES]
    return write_bundle(read_bundle(tile.full, content)[: tile.width])


def missing(error: CouldNotCheck) -> CouldNotCheck:
    """The error for a tree whose files are older than what was signed."""
    return CouldNotCheck(
        f"the log's files do not hold the tree that it signed: {error.message}",
        hint="they are older than the database, or damaged: restore the newest copy of the folder; "
        "nothing was signed and nothing was changed",
    )
