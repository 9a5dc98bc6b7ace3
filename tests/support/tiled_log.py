"""A log in memory: its tiles by path, as a server would have them."""

from __future__ import annotations

from collections.abc import Sequence

from zkwm_protocols.transparency.tiles import Tile, TileHashes, grown
from zkwm_protocols.transparency.tree import TreeHead, root_of


class TiledLog:
    """Tiles by path; every tree that was ever committed to keeps its partial tiles."""

    def __init__(self, entries: Sequence[bytes] = ()) -> None:
        self.size = 0
        self.files: dict[str, bytes] = {}
        if entries:
            self.append(entries)

    def read(self, tile: Tile) -> bytes:
        return self.files[tile.path]

    def append(self, entries: Sequence[bytes]) -> None:
        self.files |= {tile.path: data for tile, data in grown(self.size, entries, self.read)}
        self.size += len(entries)

    def hashes(self, size: int | None = None) -> TileHashes:
        return TileHashes(self.size if size is None else size, self.read)

    def head(self) -> TreeHead:
        return TreeHead(self.size, root_of(self.size, self.hashes()))
