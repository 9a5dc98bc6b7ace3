"""Proofs that the log hands out: of one entry in its signed tree, with or without witnesses.

The hashes are read from the tiles; the entry itself is in the bundle that everybody can fetch.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from zkwm.transparency_log.entries import HeadRow
from zkwm.transparency_log.tile_folder import TileFolder
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.transparency.tiles import Tile, TileHashes
from zkwm_protocols.transparency.tree import HashReader, prove_inclusion

_TILES_HELD = 2_000
"""Tiles of hashes in memory, 8 KiB each at most."""
_TREES_HELD = 4
_HASHES_HELD = 16_384


@dataclass(frozen=True)
class Proven:
    """One entry's place and the C2SP ``.tlog-proof`` of it."""

    index: int
    size: int
    proof: bytes


class Proofs:
    """Makes proofs from a log's files. Not for several threads at a time.

    Many proofs are of one tree, one after the other, and share most of their hashes.
    """

    def __init__(self, files: TileFolder) -> None:
        self._files = files
        self._tiles: OrderedDict[Tile, bytes] = OrderedDict()
        self._trees: OrderedDict[int, HashReader] = OrderedDict()
        self._signed: OrderedDict[bytes, SignedCheckpoint] = OrderedDict()

    def path(self, index: int, size: int) -> tuple[bytes, ...]:
        """The hashes of an inclusion proof in the tree of ``size``. Raises CouldNotCheck."""
        read = self._trees.get(size)
        if read is None:
            read = self._trees[size] = lru_cache(_HASHES_HELD)(self._reader(size))
            _shorten(self._trees)
        return tuple(prove_inclusion(index, size, read))

    def proof(self, index: int, row: HeadRow) -> Proven:
        """The proof of an entry in this signed tree. Raises CouldNotCheck."""
        signed = self._signed.get(row.checkpoint)
        if signed is None:
            signed = self._signed[row.checkpoint] = SignedCheckpoint.from_bytes(row.checkpoint)
            _shorten(self._signed)
        proof = ProofFile(index, self.path(index, row.size), signed)
        return Proven(index, row.size, proof.to_bytes())

    def _reader(self, size: int) -> HashReader:
        """Reads hashes of the tree of ``size`` and keeps none, so that memory is bounded."""
        return lambda height, index: TileHashes(size, self._read)(height, index)

    def _read(self, tile: Tile) -> bytes:
        """A tile of hashes, from memory where it was read before."""
        content = self._tiles.get(tile)
        if content is None:
            content = self._tiles[tile] = self._files.read(tile)
            if len(self._tiles) > _TILES_HELD:
                self._tiles.popitem(last=False)
        else:
            self._tiles.move_to_end(tile)
        return content


def _shorten(kept: OrderedDict[Any, Any]) -> None:
    """Forget the oldest beyond a few: proofs are of the newest tree and of the witnessed one."""
    if len(kept) > _TREES_HELD:
        kept.popitem(last=False)
