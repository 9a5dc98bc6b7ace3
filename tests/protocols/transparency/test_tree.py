"""Inclusion and consistency: published proofs, the RFC's own recursion, a second reader."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scitt_cose import merkle as second_reader

from tests.protocols.test_merkle import ENTRIES, ROOTS
from tests.reference import transparency as reference
from tests.support.tiled_log import TiledLog
from zkwm_protocols.errors import InvalidLogProof, Malformed
from zkwm_protocols.merkle import EMPTY_ROOT, leaf_hash
from zkwm_protocols.transparency.tree import (
    MAXIMUM_SIZE,
    TreeHead,
    prove_consistency,
    prove_inclusion,
    root_of,
    verify_consistency,
    verify_inclusion,
)

SIZES = (0, 1, 2, 255, 256, 257, 65_535, 65_536, 65_537)
PUBLISHED = [bytes.fromhex(entry) for entry in ENTRIES]
# Certificate Transparency's test data (google/certificate-transparency, merkle_tree_test.cc; also
# transparency-dev/merkle): index from 0 and size, to the hashes of the proof.
INCLUSIONS = {
    (0, 1): [],
    (0, 8): ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
             "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"],
    (5, 8): ["bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
             "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
             "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
             "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"],
}  # fmt: skip
CONSISTENCIES = {
    (1, 1): [],
    (1, 8): ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
             "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"],
    (6, 8): ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
             "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
             "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"],
    (2, 5): ["5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"],
}  # fmt: skip


def entry(index: int) -> bytes:
    return b"entry %d" % index


@pytest.fixture(scope="module")
def largest() -> tuple[TiledLog, reference.Log]:
    """A log that grew through all ``SIZES``, and the same leaves for the reference."""
    log = TiledLog()
    for size in SIZES[1:]:
        log.append([entry(i) for i in range(log.size, size)])
    return log, reference.Log([leaf_hash(entry(i)) for i in range(SIZES[-1])])


def small(count: int) -> tuple[TiledLog, reference.Log]:
    entries = [entry(i) for i in range(count)]
    return TiledLog(entries), reference.Log([leaf_hash(one) for one in entries])


def test_published_inclusion_proofs() -> None:
    for (index, size), hashes in INCLUSIONS.items():
        log, head = TiledLog(PUBLISHED[:size]), TreeHead(size, bytes.fromhex(ROOTS[size - 1]))
        assert log.head() == head
        proof = prove_inclusion(index, size, log.hashes())
        assert [one.hex() for one in proof] == hashes
        verify_inclusion(leaf_hash(PUBLISHED[index]), index, head, proof)


def test_published_consistency_proofs() -> None:
    log = TiledLog(PUBLISHED)
    for (old, new), hashes in CONSISTENCIES.items():
        proof = prove_consistency(old, new, log.hashes())
        assert [one.hex() for one in proof] == hashes
        heads = [TreeHead(size, bytes.fromhex(ROOTS[size - 1])) for size in (old, new)]
        verify_consistency(*heads, proof)


def test_all_pairs_up_to_40_against_the_recursion_and_its_verifier() -> None:
    log, slow = small(40)
    hashes = log.hashes()
    for size in range(1, 41):
        head = TreeHead(size, slow.head(size))
        assert root_of(size, hashes) == head.root
        for index in range(size):
            proof = prove_inclusion(index, size, hashes)
            assert proof == slow.path(index, size)
            leaf = slow.leaves[index]
            assert reference.included(leaf, index, size, head.root, proof)
            verify_inclusion(leaf, index, head, proof)
        for old in range(1, size + 1):
            proof = prove_consistency(old, size, hashes)
            assert proof == slow.proof(old, size)
            before = TreeHead(old, slow.head(old))
            if old < size:
                assert reference.consistent(old, size, before.root, head.root, proof)
            verify_consistency(before, head, proof)


@pytest.mark.parametrize("size", SIZES)
def test_proofs_made_from_tiles_of_edge_sizes(
    size: int, largest: tuple[TiledLog, reference.Log]
) -> None:
    log, slow = largest
    hashes = log.hashes(size)
    head = TreeHead(size, slow.head(size))
    assert root_of(size, hashes) == head.root
    for index in {0, 1, 127, 255, 256, size // 2, size - 2, size - 1} & set(range(size)):
        proof = prove_inclusion(index, size, hashes)
        assert proof == slow.path(index, size)
        verify_inclusion(slow.leaves[index], index, head, proof)
    for old in {one for one in (*SIZES, 3, 128, 511, 4_096, size - 1) if 0 <= one <= size}:
        proof = prove_consistency(old, size, hashes)
        assert proof == (slow.proof(old, size) if old else [])
        verify_consistency(TreeHead(old, slow.head(old)), head, proof)


@given(st.integers(1, 300), st.data())
@settings(max_examples=40)
def test_second_reader_both_ways(size: int, data: st.DataObject) -> None:
    """scitt-cose, an implementation of others: it reads our proofs, and we read its."""
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    entries = [entry(i) for i in range(size)]
    log = TiledLog(entries)
    texts = [one.hex() for one in entries]
    root, before = second_reader.merkle_root(texts), second_reader.merkle_root(texts[:old])
    head = TreeHead(size, bytes.fromhex(root))
    assert log.head() == head
    ours = [one.hex() for one in prove_inclusion(index, size, log.hashes())]
    assert second_reader.verify_inclusion(texts[index], index, size, ours, root)
    theirs = second_reader.inclusion_proof(texts, index)
    verify_inclusion(leaf_hash(entries[index]), index, head, [bytes.fromhex(x) for x in theirs])
    ours = [one.hex() for one in prove_consistency(old, size, log.hashes())]
    assert second_reader.verify_consistency(before, root, old, size, ours)
    theirs = second_reader.consistency_proof(texts, old, size)
    verify_consistency(
        TreeHead(old, bytes.fromhex(before)), head, [bytes.fromhex(x) for x in theirs]
    )


def test_the_proof_of_another_place_size_or_tree_is_refused() -> None:
    log, slow = small(13)
    other, other_slow = TiledLog([b"x", *(entry(i) for i in range(1, 13))]), slow
    head, proof = log.head(), prove_inclusion(4, 13, log.hashes())
    leaf = slow.leaves[4]
    verify_inclusion(leaf, 4, head, proof)
    with pytest.raises(InvalidLogProof):
        verify_inclusion(leaf, 5, head, proof)
    with pytest.raises(InvalidLogProof):
        verify_inclusion(leaf, 4, TreeHead(12, slow.head(12)), proof)
    with pytest.raises(InvalidLogProof):
        verify_inclusion(slow.leaves[5], 4, head, proof)
    with pytest.raises(InvalidLogProof):
        verify_inclusion(leaf, 4, other.head(), proof)
    with pytest.raises(InvalidLogProof):
        verify_inclusion(leaf, 4, head, prove_inclusion(4, 13, other.hashes()))
    for wrong in (proof[:-1], [*proof, proof[0]], [], proof[::-1]):
        with pytest.raises(InvalidLogProof):
            verify_inclusion(leaf, 4, head, wrong)
    with pytest.raises(Malformed):
        verify_inclusion(leaf, 13, head, proof)
    with pytest.raises(Malformed):
        verify_inclusion(leaf, 4, head, [*proof[:-1], proof[-1][:-1]])
    old = TreeHead(6, other_slow.head(6))
    verify_consistency(old, head, prove_consistency(6, 13, log.hashes()))
    with pytest.raises(InvalidLogProof):
        verify_consistency(old, other.head(), prove_consistency(6, 13, other.hashes()))
    with pytest.raises(InvalidLogProof):
        verify_consistency(old, other.head(), prove_consistency(6, 13, log.hashes()))
    with pytest.raises(InvalidLogProof):
        verify_consistency(TreeHead(7, old.root), head, prove_consistency(6, 13, log.hashes()))
    with pytest.raises(Malformed):
        verify_consistency(head, old, [])


def test_a_node_proven_as_a_leaf_is_refused() -> None:
    """An inner node has a shorter proof than a leaf of the same signed size."""
    log, slow = small(8)
    proof = prove_inclusion(2, 8, log.hashes())
    with pytest.raises(InvalidLogProof):
        verify_inclusion(slow.root_of(2, 4), 1, log.head(), proof[1:])


def test_trees_of_one_size_and_empty_trees() -> None:
    log, _ = small(5)
    head, empty = log.head(), TreeHead(0, EMPTY_ROOT)
    verify_consistency(head, head, [])
    verify_consistency(empty, head, [])
    verify_consistency(empty, empty, [])
    with pytest.raises(InvalidLogProof):
        verify_consistency(head, TreeHead(5, bytes(32)), [])
    with pytest.raises(InvalidLogProof):
        verify_consistency(TreeHead(0, bytes(32)), head, [])
    with pytest.raises(InvalidLogProof):
        verify_consistency(empty, head, [bytes(32)])
    with pytest.raises(InvalidLogProof):
        verify_consistency(head, head, [bytes(32)])


def test_the_largest_tree_costs_63_hashes_and_a_larger_one_is_refused() -> None:
    proof = [bytes([i]) * 32 for i in range(63)]
    found = hashlib.sha256(b"leaf").digest()
    root = found
    for one in proof:
        root = hashlib.sha256(b"\x01" + root + one).digest()
    verify_inclusion(found, 0, TreeHead(MAXIMUM_SIZE, root), proof)
    with pytest.raises(Malformed):
        TreeHead(MAXIMUM_SIZE + 1, root)
    with pytest.raises(InvalidLogProof):
        verify_consistency(TreeHead(1, root), TreeHead(MAXIMUM_SIZE, root), [root] * 1_000)


@given(st.integers(1, 70), st.data())
def test_any_changed_hash_is_refused(size: int, data: st.DataObject) -> None:
    log, slow = small(size)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    bit = data.draw(st.integers(0, 255))

    def changed(proof: list[bytes]) -> list[bytes]:
        at = data.draw(st.integers(0, len(proof) - 1))
        altered = int.from_bytes(proof[at], "big") ^ (1 << bit)
        return [*proof[:at], altered.to_bytes(32, "big"), *proof[at + 1 :]]

    proof = prove_inclusion(index, size, log.hashes())
    if proof:
        with pytest.raises(InvalidLogProof):
            verify_inclusion(slow.leaves[index], index, log.head(), changed(proof))
    proof = prove_consistency(old, size, log.hashes())
    if proof:
        with pytest.raises(InvalidLogProof):
            verify_consistency(TreeHead(old, slow.head(old)), log.head(), changed(proof))
