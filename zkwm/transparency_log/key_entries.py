"""All that a log has about one key, with proofs (SPEC.md 25.6, 26).

A log's index may leave something out, such as a revocation, and nothing shows it. Whoever reads
every entry of the signed tree, and computes its root, misses none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zkwm.transparency_log.client import LogClient
from zkwm_protocols.cose.key_contents import key_subject
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.statement import SignedStatement
from zkwm_protocols.errors import InvalidLogProof, ZkwmError
from zkwm_protocols.merkle import leaf_hash, root_of_hashes
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.transparency.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    TileHashes,
    read_bundle,
    width_of,
)
from zkwm_protocols.transparency.tree import prove_inclusion

_TOLD_EVERY = 64
"""Bundles between two words of progress."""


@dataclass(frozen=True)
class FoundEntries:
    """What a log has about a key.

    Args:
        statements: each with a proof that was verified, in the order of the log.
        log: its origin.
        size: of the tree that was looked at, which log and witnesses of the policy signed.
        whole: whether every entry of that tree was read.
        later: how many more its index names that no witnesses have cosigned yet.
    """

    statements: tuple[LoggedStatement, ...]
    log: str
    size: int
    whole: bool
    later: int


def find_about_key(
    client: LogClient,
    key: str,
    *,
    whole: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> FoundEntries:
    """Fetch all statements about a key, and verify that they stand in the signed tree.

    Args:
        client: of the log, with a policy of this log alone.
        key: its fingerprint.
        whole: read every entry instead of asking the log's index.
        tell: called with what is being done.

    Raises:
        InvalidLogProof: an entry is not in the tree, or all of them are another tree; too few
            witnesses signed.
        TwoTreesError: the log has shown two trees; the hint names the evidence.
        Malformed, InvalidSignature, CouldNotCheck: it does not answer as a log does.
    """
    signed = client.cosigned()
    size, origin = signed.checkpoint.head.size, signed.checkpoint.origin
    later = 0
    if whole:
        entries = list(_read_all(client, signed, key, tell))
    else:
        digest = hashlib.sha256(key_subject(key).encode()).digest()
        listed = client.listed(digest)
        later = sum(index >= size for index in listed)
        entries = [(index, _entry(client, index, size)) for index in listed if index < size]
    hashes = TileHashes(size, client.tile)
    found = []
    for index, entry in entries:
        statement = _about(entry, key)
        if statement is None:
            continue
        path = tuple(prove_inclusion(index, size, hashes)) if size else ()
        proof = ProofFile(index, path, signed)
        client.verify(entry, proof)
        found.append(LoggedStatement(statement, proof))
    return FoundEntries(tuple(found), origin, size, whole, later)


def _read_all(
    client: LogClient, signed: SignedCheckpoint, key: str, tell: Callable[[str], None]
) -> Iterator[tuple[int, bytes]]:
    """Every entry that names the key, of a tree whose entries were all read.

    Raises InvalidLogProof, after the last one, where they are not those of the signed tree.
    """
    head, name = signed.checkpoint.head, key_subject(key).encode()
    leaves: list[bytes] = []
    for number in range(-(-head.size // WIDTH)):
        if number % _TOLD_EVERY == 0:
            tell(f"reading entry {len(leaves):,} of {head.size:,}")
        tile = Tile(ENTRIES, number, width_of(ENTRIES, number, head.size))
        for entry in read_bundle(tile, client.tile(tile)):
            if name in entry:
                yield len(leaves), entry
            leaves.append(leaf_hash(entry))
    if (root_of_hashes(leaves) if leaves else hashlib.sha256().digest()) != head.root:
        raise InvalidLogProof(
            f"the log's entries are not those of the tree of size {head.size:,} that it signed",
            hint="ask it again; if it stays so, keep its checkpoint and tell its witnesses",
        )


def _entry(client: LogClient, index: int, size: int) -> bytes:
    """One entry, out of its bundle. Raises Malformed, CouldNotCheck."""
    number, place = divmod(index, WIDTH)
    tile = Tile(ENTRIES, number, width_of(ENTRIES, number, size))
    return read_bundle(tile, client.tile(tile))[place]


def _about(entry: bytes, key: str) -> SignedStatement | None:
    """The statement of an entry, if it is one about this key, which the key signed."""
    try:
        statement = SignedStatement.from_bytes(entry)
    except ZkwmError:
        return None
    return statement if statement.content.subject == key_subject(key) else None
