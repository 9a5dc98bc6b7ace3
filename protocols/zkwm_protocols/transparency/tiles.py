"""Tiles of a log: which files a tree of a size has, their names and contents (C2SP tlog-tiles).

A tile is 256 hashes of one height in a row, fewer at the right edge; the tiles one level up hold
the hashes of full tiles. An entry bundle is what the leaf hashes of one tile are of. SPEC.md 23.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from zkwm_protocols.errors import Malformed
from zkwm_protocols.merkle import leaf_hash, root_of_hashes
from zkwm_protocols.schema import require_integer
from zkwm_protocols.transparency.tree import HASH_BYTES, MAXIMUM_SIZE

WIDTH = 256
"""Hashes in a full tile, and entries in a full bundle."""
ENTRIES = -1
"""The level of bundles of entries, whose files stand beside those of level 0."""
MAXIMUM_LEVEL = 63
MAXIMUM_ENTRY = 65_535
"""Bytes of an entry: its length stands before it in two bytes."""

_HEIGHT = 8
_PATH = re.compile(
    r"tile/(?P<level>0|[1-9]\d?|entries)/(?P<index>(?:x\d{3}/)*\d{3})(?:\.p/(?P<width>[1-9]\d{0,2}))?"
)
_LONGEST_PATH = 60


@dataclass(frozen=True, order=True)
class Tile:
    """One file of a log.

    Args:
        level: 0 to 63 from the leaves up, or ``ENTRIES`` for a bundle.
        index: which tile of its level, from the left.
        width: how many hashes or entries it has, 256 in a full one.

    Raises Malformed for numbers that no tree has.
    """

    level: int
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        require_integer(self.level, MAXIMUM_LEVEL, ENTRIES)
        require_integer(self.index, MAXIMUM_SIZE // WIDTH)
        require_integer(self.width, WIDTH, 1)

    @property
    def path(self) -> str:
        """Its path below the log's prefix, such as ``tile/0/x001/234.p/7``."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        index = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        return f"tile/{level}/{index}" + ("" if self.width == WIDTH else f".p/{self.width}")

    @classmethod
    def from_path(cls, path: str) -> Tile:
        """The tile that has this path. Raises Malformed for any other spelling."""
        match = _PATH.fullmatch(path) if len(path) <= _LONGEST_PATH and path.isascii() else None
        if match is None:
            raise Malformed("this is not the path of a tile")
        level = ENTRIES if match["level"] == "entries" else int(match["level"])
        tile = cls(
            level, int(re.sub("[x/]", "", match["index"])), int(match["width"] or str(WIDTH))
        )
        if tile.path != path:
            raise Malformed("this is not the path of a tile")
        return tile

    @property
    def full(self) -> Tile:
        """The full tile at its place."""
        return Tile(self.level, self.index)


TileReader = Callable[[Tile], bytes]
"""From a tile to its content: a log serves it, a client fetches it. May raise what it will."""


def width_of(level: int, index: int, size: int) -> int:
    """How many hashes the tile has in the tree of ``size``: 0 to 256."""
    height = _HEIGHT * max(level, 0)
    return min(max((size >> height) - index * WIDTH, 0), WIDTH)


def tiles_of(size: int) -> Iterator[Tile]:
    """All tiles of the tree of ``size``, bundles of entries first, then level by level."""
    return tiles_between(0, size)


def tiles_between(old: int, new: int) -> Iterator[Tile]:
    """The tiles of the tree of size ``new`` that the tree of size ``old`` does not have.

    Bundles of entries first, then level by level, each from the left: an order in which a log can
    write them. Raises Malformed for ``old`` above ``new``.
    """
    require_integer(new, MAXIMUM_SIZE)
    require_integer(old, new)
    yield from _tiles_of_level(ENTRIES, old, new)
    level = 0
    while new >> (_HEIGHT * level):
        yield from _tiles_of_level(level, old, new)
        level += 1


def _tiles_of_level(level: int, old: int, new: int) -> Iterator[Tile]:
    """``tiles_between`` of one level."""
    height = _HEIGHT * max(level, 0)
    before, after = old >> height, new >> height
    if before == after:
        return
    for index in range(before // WIDTH, -(-after // WIDTH)):
        yield Tile(level, index, width_of(level, index, new))


def hashes_of(tile: Tile, content: bytes) -> list[bytes]:
    """The hashes of a tile, 32 bytes each. Raises Malformed for a content of another length."""
    if len(content) != tile.width * HASH_BYTES:
        raise Malformed(
            f"the tile {tile.path} has {len(content):,} bytes instead of "
            f"{tile.width * HASH_BYTES:,}"
        )
    return [content[i : i + HASH_BYTES] for i in range(0, len(content), HASH_BYTES)]


def write_bundle(entries: Sequence[bytes]) -> bytes:
    """The content of a bundle of 1 to 256 entries. Raises Malformed for a longer one or entry."""
    require_integer(len(entries), WIDTH, 1)
    if any(len(entry) > MAXIMUM_ENTRY for entry in entries):
        raise Malformed(f"an entry of a log has at most {MAXIMUM_ENTRY:,} bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def read_bundle(tile: Tile, content: bytes) -> list[bytes]:
    """The entries of a bundle, as many as the tile is wide. Raises Malformed for any other."""
    entries: list[bytes] = []
    position = 0
    while position < len(content) and len(entries) < tile.width:
        end = position + 2 + int.from_bytes(content[position : position + 2], "big")
        if end > len(content):
            raise Malformed(f"the bundle {tile.path} is cut off")
        entries.append(content[position + 2 : end])
        position = end
    if len(entries) != tile.width or position != len(content):
        raise Malformed(f"the bundle {tile.path} does not have exactly {tile.width} entries")
    return entries


class TileHashes:
    """The hashes of a tree of one size, read from its tiles: a ``HashReader``.

    Each tile is read once. What is read is as good as its source: a proof made of it is verified
    by whoever gets it, and ``root_of`` compares the whole right edge with a checkpoint.
    """

    def __init__(self, size: int, read: TileReader) -> None:
        self._size = require_integer(size, MAXIMUM_SIZE)
        self._read = read
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def __call__(self, height: int, index: int) -> bytes:
        """The hash of 2^height leaves from index * 2^height on. Raises Malformed outside."""
        require_integer(height, MAXIMUM_LEVEL)
        require_integer(index, MAXIMUM_SIZE)
        if (index + 1) << height > self._size:
            raise Malformed(f"the tree of size {self._size:,} does not have this subtree")
        level, inner = divmod(height, _HEIGHT)
        first = index << inner
        hashes = self._hashes(level, first // WIDTH)
        first %= WIDTH
        return root_of_hashes(hashes[first : first + (1 << inner)])

    def _hashes(self, level: int, index: int) -> list[bytes]:
        """The hashes of a tile, from memory after the first time."""
        if (level, index) not in self._tiles:
            tile = Tile(level, index, width_of(level, index, self._size))
            self._tiles[level, index] = hashes_of(tile, self._read(tile))
        return self._tiles[level, index]


def grown(size: int, entries: Sequence[bytes], read: TileReader) -> Iterator[tuple[Tile, bytes]]:
    """The new tiles, with contents, of a tree of ``size`` to which ``entries`` are added.

    In the order of ``tiles_between``. ``read`` gives the old tree's partial tiles at its right
    edge, and nothing else is read.
    """
    new = require_integer(size + len(entries), MAXIMUM_SIZE)
    content: dict[Tile, list[bytes]] = {}
    added = {ENTRIES: list(entries), 0: [leaf_hash(entry) for entry in entries]}
    for tile in tiles_between(size, new):
        items = content.setdefault(tile, [])
        old_width = width_of(tile.level, tile.index, size)
        if old_width:
            old = Tile(tile.level, tile.index, old_width)
            items += (read_bundle if tile.level == ENTRIES else hashes_of)(old, read(old))
        fresh = added[tile.level]
        items += fresh[: tile.width - old_width]
        del fresh[: tile.width - old_width]
        if tile.level != ENTRIES and tile.width == WIDTH:
            added.setdefault(tile.level + 1, []).append(root_of_hashes(items))
        yield tile, write_bundle(items) if tile.level == ENTRIES else b"".join(items)
