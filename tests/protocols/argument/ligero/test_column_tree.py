"""The column tree against a recursive reference; openings that must be refused."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkwm_protocols.argument.ligero.column_tree import build_tree, hash_columns, recompute_root
from zkwm_protocols.errors import InvalidOpening

DEPTH = 4
LEAVES = [hashlib.sha256(bytes([i])).digest() for i in range(1 << DEPTH)]


def reference_node(level: int, index: int) -> bytes:
    """A node by the recursive definition of SPEC.md 17.7."""
    if level == 0:
        return LEAVES[index]
    left = reference_node(level - 1, 2 * index)
    right = reference_node(level - 1, 2 * index + 1)
    position = bytes([level]) + index.to_bytes(4, "big")
    return hashlib.sha256(b"zkwm-node-1" + position + left + right).digest()


def reference_missing(indices: list[int]) -> list[bytes]:
    """Every node below the root that has an opened leaf under its sibling and none under itself."""
    found = []
    for level in range(DEPTH):
        for i in range(1 << (DEPTH - level)):

            def opened(node: int, level: int = level) -> bool:
                return any(index >> level == node for index in indices)

            if opened(i ^ 1) and not opened(i):
                found.append(reference_node(level, i))
    return found


opened_places = st.sets(st.integers(0, (1 << DEPTH) - 1), min_size=1).map(sorted)


def test_a_leaf_is_the_hash_of_the_specification() -> None:
    generator = np.random.default_rng(1)
    columns = generator.integers(0, 2**31, (3, 5), dtype=np.uint32)
    nonces = generator.bytes(96)
    places = [0, 7, 300]
    leaves = hash_columns(columns, nonces, np.array(places))
    for m, place in enumerate(places):
        message = b"zkwm-column-1" + place.to_bytes(4, "big") + nonces[32 * m : 32 * m + 32]
        message += b"".join(int(value).to_bytes(4, "little") for value in columns[m])
        assert leaves[32 * m : 32 * m + 32] == hashlib.sha256(message).digest()


def test_the_memory_order_of_columns_does_not_matter() -> None:
    columns = np.arange(12, dtype=np.uint32).reshape(3, 4)
    nonces = bytes(96)
    transposed = np.ascontiguousarray(columns.T).T
    assert hash_columns(columns, nonces, np.arange(3)) == hash_columns(
        transposed, nonces, np.arange(3)
    )


VECTOR_LEAF = "20435863f73bcc2d59d4b79a647b30bd0f091dc7a8e005fe0b1c40693cdeb171"
VECTOR_ROOT = "a8036a033a484bc3d81e52e883ac29ca6aa02fbd02c1e5bbb75106761e1458b1"
"""Of four columns of the elements 0 to 11 and nonces of the bytes 0 to 127; from ``struct``."""


def test_vectors() -> None:
    leaves = hash_columns(
        np.arange(12, dtype=np.uint32).reshape(4, 3), bytes(range(128)), np.arange(4)
    )
    assert leaves[:32].hex() == VECTOR_LEAF
    assert build_tree(leaves).root.hex() == VECTOR_ROOT


def test_one_leaf_is_its_own_root() -> None:
    assert build_tree(LEAVES[0]).root == LEAVES[0]
    assert recompute_root(LEAVES[:1], [0], [], 0) == LEAVES[0]


@given(opened_places)
def test_openings_equal_the_recursive_definition(indices: list[int]) -> None:
    tree = build_tree(b"".join(LEAVES))
    assert tree.root == reference_node(DEPTH, 0)
    nodes = tree.missing_nodes(indices)
    assert list(nodes) == reference_missing(indices)
    assert recompute_root([LEAVES[i] for i in indices], indices, nodes, DEPTH) == tree.root


@given(opened_places, st.data())
def test_any_change_of_an_opening_gives_another_root(
    indices: list[int], data: st.DataObject
) -> None:
    tree = build_tree(b"".join(LEAVES))
    leaves = [LEAVES[i] for i in indices]
    nodes = list(tree.missing_nodes(indices))
    target = data.draw(st.sampled_from([leaves, nodes] if nodes else [leaves]))
    place = data.draw(st.integers(0, len(target) - 1))
    target[place] = bytes([target[place][0] ^ 1]) + target[place][1:]
    assert recompute_root(leaves, indices, nodes, DEPTH) != tree.root


@given(opened_places)
def test_too_many_too_few_and_short_nodes_are_refused(indices: list[int]) -> None:
    leaves = [LEAVES[i] for i in indices]
    nodes = build_tree(b"".join(LEAVES)).missing_nodes(indices)
    wrong = [(*nodes, bytes(32))]
    if nodes:
        wrong += [nodes[1:], (*nodes[:-1], bytes(31))]
    for attempt in wrong:
        with pytest.raises(InvalidOpening) as caught:
            recompute_root(leaves, indices, attempt, DEPTH)
        assert caught.value.check == "argument.columns"
