"""Whether a log's files hold a tree, and the entries that they hold; without its database."""

from __future__ import annotations

from collections.abc import Iterator

from zkwm.transparency_log.tile_folder import TileFolder, missing
from zkwm_protocols.errors import CouldNotCheck, Malformed
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    TileHashes,
    hashes_of,
    tiles_of,
    width_of,
)
from zkwm_protocols.transparency.tree import TreeHead, root_of


def require_files(files: TileFolder, head: TreeHead) -> None:
    """Raise CouldNotCheck unless the files on the right edge lead to this tree.

    It reads the last tile of each level and the last bundle of entries, however large the log is.
    """
    try:
        found = root_of(head.size, TileHashes(head.size, files.read))
        if found != head.root:
            raise Malformed("their tree of this size has another root")
        if head.size:
            _require_last_bundle(files, head.size)
    except CouldNotCheck as error:
        raise missing(error) from None


def _require_last_bundle(files: TileFolder, size: int) -> None:
    """The last entries are those whose hashes the last tile has."""
    index = (size - 1) // WIDTH
    width = width_of(0, index, size)
    hashes = hashes_of(Tile(0, index, width), files.read(Tile(0, index, width)))
    if [leaf_hash(entry) for entry in files.entries(Tile(ENTRIES, index, width))] != hashes:
        raise Malformed("their last entries have other hashes")


def read_entries(files: TileFolder, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Positions and bytes of entries of a tree of size ``end``, bundle by bundle.

    Each bundle's hashes are compared with the tile's. Raises CouldNotCheck.
    """
    for tile in tiles_of(end):
        if tile.level != ENTRIES:
            return
        first = tile.index * WIDTH
        if first + tile.width <= start:
            continue
        entries = files.entries(tile)
        of_hashes = Tile(0, tile.index, tile.width)
        if [leaf_hash(one) for one in entries] != hashes_of(of_hashes, files.read(of_hashes)):
            raise Malformed(f"the entries of {tile.path} have other hashes than its tile")
        for number, data in enumerate(entries):
            if first + number >= start:
                yield first + number, data
