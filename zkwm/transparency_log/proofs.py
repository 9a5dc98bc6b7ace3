"""Proofs that the log hands out: of one entry in its signed tree, with or without witnesses.

The hashes are read from the tiles; the entry itself is in the bundle that everybody can fetch.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from zkwm.transparency_log.database import HeadRow
from zkwm.transparency_log.tile_folder import TileFolder
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.transparency.tiles import Tile, TileHashes
from zkwm_protocols.transparency.tree import prove_inclusion

_TILES_HELD = 2_000
"""Tiles of hashes in memory, 8 KiB each at most."""


@dataclass(frozen=True)
class Proven:
    """One entry's place and the C2SP ``.tlog-proof`` of it."""

    index: int
    size: int
    proof: bytes


class Proofs:
    """Makes proofs from a log's files. Not for several threads at a time."""

    def __init__(self, files: TileFolder) -> None:
        self._files = files
        self._tiles: OrderedDict[Tile, bytes] = OrderedDict()

    def path(self, index: int, size: int) -> list[bytes]:
        """The hashes of an inclusion proof in the tree of ``size``. Raises CouldNotCheck."""
        return prove_inclusion(index, size, TileHashes(size, self._read))

    def proof(self, index: int, row: HeadRow) -> Proven:
        """The proof of an entry in this signed tree. Raises CouldNotCheck."""
        signed = SignedCheckpoint.from_bytes(row.checkpoint)
        proof = ProofFile(index, tuple(self.path(index, row.size)), signed)
        return Proven(index, row.size, proof.to_bytes())

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
