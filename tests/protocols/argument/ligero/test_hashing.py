"""The prover's column tree: from C at every level as by hashlib."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

from tests.support.native_levels import NATIVE_LEVELS
from zkwm_protocols.argument.ligero import hashing, strips, strips_native, strips_numba
from zkwm_protocols.argument.ligero.column_tree import build_tree, hash_columns
from zkwm_protocols.errors import UsageError
from zkwm_protocols.field.kernels import native
from zkwm_protocols.field.kernels.ntt import Coset


@pytest.mark.parametrize("level", [*NATIVE_LEVELS, None])
@pytest.mark.parametrize(("rows", "length"), [(0, 1), (1, 1), (3, 2), (13, 64), (31, 512), (67, 8)])
def test_the_tree_is_that_of_hashlib(
    monkeypatch: pytest.MonkeyPatch, level: str | None, rows: int, length: int
) -> None:
    generator = np.random.default_rng(rows)
    codewords = generator.integers(0, 2**32, (rows, length), dtype=np.uint32)
    nonces = generator.bytes(32 * length)
    expected = build_tree(hash_columns(codewords.T, nonces, np.arange(length)))
    if level is None:
        monkeypatch.setattr(hashing, "LEVEL", None)
        assert hashing.hash_codewords(codewords, nonces) == expected
        return
    monkeypatch.setattr(hashing, "LEVEL", "avx2")  # so that it is never hashlib
    with native.at_level(level):
        assert hashing.hash_codewords(codewords, nonces) == expected


def test_nonces_are_one_for_each_column() -> None:
    with pytest.raises(UsageError):
        hashing.hash_codewords(np.zeros((2, 4), dtype=np.uint32), bytes(32 * 3))


@pytest.mark.parametrize("level", [*NATIVE_LEVELS, "numba"])
@pytest.mark.parametrize(
    ("rows", "length", "most"), [(1, 1, 16), (4, 8, 16), (5, 512, 16), (67, 64, 32), (84, 16, 48)]
)
def test_strips_have_the_tree_of_whole_columns(
    monkeypatch: pytest.MonkeyPatch, level: str, rows: int, length: int, most: int
) -> None:
    generator = np.random.default_rng(rows)
    codewords = generator.integers(0, 2**32, (rows, length), dtype=np.uint32)
    nonces = generator.bytes(32 * length)
    expected = build_tree(hash_columns(codewords.T, nonces, np.arange(length)))
    loop = strips_numba.hash_strip if level == "numba" else strips_native.hash_strip
    monkeypatch.setattr(strips, "hash_strip", loop)
    at_level = nullcontext() if level == "numba" else native.at_level(level)
    with at_level:
        hasher = strips.StripHasher(rows, nonces)
        for first, last in strips.strip_bounds(rows, most):
            assert last - first <= most
            hasher.add(codewords[first:last])
        assert hasher.tree() == expected
        if length > 1:
            own = b"".join(nonces[32 * i : 32 * i + 32] for i in range(1, length, 2))
            hasher = strips.StripHasher(rows, own, columns=Coset(1, 1))
            for first, last in strips.strip_bounds(rows, most):
                hasher.add(np.ascontiguousarray(codewords[first:last, 1::2]))
            found = hasher.leaves().tobytes()
            assert found == hash_columns(codewords.T[1::2], own, np.arange(1, length, 2))


def test_strips_end_with_blocks_and_rows_are_complete() -> None:
    hasher = strips.StripHasher(40, bytes(32 * 4))
    for rows, length in ((3, 4), (41, 4), (20, 8), (0, 4)):
        with pytest.raises(UsageError):
            hasher.add(np.zeros((rows, length), dtype=np.uint32))
    hasher.add(np.zeros((20, 4), dtype=np.uint32))
    with pytest.raises(UsageError):
        hasher.tree()
    with pytest.raises(UsageError):
        strips.StripHasher(40, bytes(33))
