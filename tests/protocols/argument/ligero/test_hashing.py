"""The prover's column tree: from C at every level as by hashlib."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.native_levels import NATIVE_LEVELS
from zkwm_protocols.argument.ligero import hashing
from zkwm_protocols.argument.ligero.column_tree import build_tree, hash_columns
from zkwm_protocols.errors import UsageError
from zkwm_protocols.field.kernels import native


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
