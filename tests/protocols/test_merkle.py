"""The Merkle root: published trees, and the recursive definition."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from tests.reference import commitment as reference
from zkwm_protocols.merkle import root

# Test data of Certificate Transparency (RFC 6962, the same tree as RFC 9162): the first n entries.
ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
           "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
digests = st.lists(st.binary(min_size=32, max_size=32), max_size=70)


def test_published_roots() -> None:
    for count, expected in enumerate(ROOTS, start=1):
        entries = [bytes.fromhex(entry) for entry in ENTRIES[:count]]
        assert root(entries).hex() == expected == reference.root(entries).hex()


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert root([]) == hashlib.sha256(b"").digest()


@given(digests)
def test_equal_to_the_recursive_definition(entries: list[bytes]) -> None:
    assert root(entries) == reference.root(entries)


def test_every_length_up_to_300() -> None:
    entries = [hashlib.sha256(bytes([i % 256, i // 256])).digest() for i in range(300)]
    found = [root(entries[:count]) for count in range(301)]
    assert found == [reference.root(entries[:count]) for count in range(301)]
    assert len(set(found)) == 301


@given(digests.filter(bool), st.data())
def test_any_change_of_an_entry_changes_the_root(entries: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(entries) - 1))
    bit = data.draw(st.integers(0, 255))
    changed = list(entries)
    altered = int.from_bytes(entries[place], "big") ^ (1 << bit)
    changed[place] = altered.to_bytes(32, "big")
    assert root(changed) != root(entries)


def test_a_node_is_not_a_leaf() -> None:
    """The prefixes keep two leaves from being replaced by one leaf that is their node."""
    left, right = (hashlib.sha256(b"\x00" + bytes([i]) * 32).digest() for i in range(2))
    assert root([bytes([0]) * 32, bytes([1]) * 32]) != root([left + right])
