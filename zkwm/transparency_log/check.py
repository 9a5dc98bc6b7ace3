"""A whole log, verified from its files: every entry, every hash, every tile (SPEC.md 25.4).

It needs the folder that everybody may copy and the log's verifier keys, no database and no secret.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from zkwm.transparency_log.entries import Entry
from zkwm.transparency_log.tile_folder import TileFolder
from zkwm.transparency_log.tree_files import read_entries
from zkwm.transparency_log.tree_key import read_checkpoint
from zkwm_protocols.errors import CouldNotCheck, InvalidLogProof, Malformed
from zkwm_protocols.merkle import root_of_hashes
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    TileHashes,
    hashes_of,
    tiles_of,
)
from zkwm_protocols.transparency.tree import TreeHead, root_of


@dataclass(frozen=True)
class CheckedLog:
    """A log of which everything fits: its tree, and how many entries it has of each kind."""

    origin: str
    head: TreeHead
    kinds: dict[str, int]


def check_log(
    files: TileFolder,
    keys: tuple[VerifierKey, ...],
    describe: Callable[[bytes], Entry],
    *,
    older: bytes | None = None,
    checkpoint: bytes | None = None,
) -> CheckedLog:
    """Verify a whole log against its own checkpoint, and against one that was seen before.

    Args:
        files: its public folder.
        keys: of the log; all of them must have signed.
        describe: reads an entry, strictly.
        older: a checkpoint of this log that somebody kept.
        checkpoint: the signed tree that the files have to hold; by default that of their folder.

    Raises:
        InvalidLogProof: the tree does not begin with that of ``older``: two trees of one log, of
            which both checkpoints are the evidence.
        InvalidSignature: a checkpoint is not signed by all keys.
        CouldNotCheck, Malformed: a file is missing, damaged or not in its format.
    """
    checkpoint = checkpoint or files.checkpoint()
    if checkpoint is None:
        raise CouldNotCheck(
            f"there is no checkpoint in {files.folder}",
            hint="give the log's folder that holds checkpoint and tile",
        )
    signed = read_checkpoint(checkpoint, keys).checkpoint
    head = signed.head
    seen = None if older is None else read_checkpoint(older, keys).checkpoint.head
    if seen is not None:
        _require_newer(files, head, seen)
    kinds: Counter[str] = Counter()
    for _, data in read_entries(files, 0, head.size):
        kinds[describe(data).kind] += 1
    _require_levels(files, head.size)
    if root_of(head.size, TileHashes(head.size, files.read)) != head.root:
        raise InvalidLogProof(
            f"the files are those of another tree than the signed one of size {head.size:,}",
            hint="copy the log's folder again; if it stays, keep it and tell the log's witnesses",
        )
    return CheckedLog(signed.origin, head, dict(sorted(kinds.items())))


def _require_newer(files: TileFolder, head: TreeHead, seen: TreeHead) -> None:
    """The tree begins with one that was seen. Raises InvalidLogProof."""
    if seen.size > head.size:
        raise InvalidLogProof(
            f"the log has signed a tree of size {seen.size:,} before, and shows one of size "
            f"{head.size:,} now",
            hint="this copy is older, or the log has shrunk: fetch its checkpoint again, and keep "
            "both as evidence if it stays so",
        )
    if root_of(seen.size, TileHashes(head.size, files.read)) != seen.root:
        raise InvalidLogProof(
            f"the log has signed two different trees of size {seen.size:,}",
            hint="keep both checkpoints: together they are the evidence; tell the log's witnesses",
        )


def _require_levels(files: TileFolder, size: int) -> None:
    """Every hash above the lowest level is that of the full tile below it. Raises Malformed."""
    for tile in tiles_of(size):
        if tile.level in (ENTRIES, 0):
            continue
        for number, found in enumerate(hashes_of(tile, files.read(tile))):
            below = Tile(tile.level - 1, tile.index * WIDTH + number)
            if root_of_hashes(hashes_of(below, files.read(below))) != found:
                raise Malformed(f"the tile {tile.path} is not made of the tile {below.path}")
