"""Codewords that are kept and those that are made in strips: the same proof, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.argument_case import argument_case
from tests.support.commitment_case import SIZES, SeededStream, make_case, run_exchange
from zkwm_protocols.argument.ligero import codeword_memory
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.prover import prove_witness


def stream_all(monkeypatch: pytest.MonkeyPatch, longest_strip: int = 32) -> None:
    """Keep no codewords, and make short strips."""
    monkeypatch.setattr(codeword_memory, "KEPT_BYTES", 0)
    monkeypatch.setattr(codeword_memory, "_LONGEST_STRIP", longest_strip)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("longest_strip", [16, 48])
def test_commitments_are_the_same(
    monkeypatch: pytest.MonkeyPatch, size: Any, longest_strip: int
) -> None:
    case = make_case(size)
    kept = run_exchange(case)
    stream_all(monkeypatch, longest_strip)
    streamed = run_exchange(case)
    assert streamed.root == kept.root
    assert np.array_equal(streamed.opened.cells, kept.opened.cells)
    assert streamed.opened.nonces == kept.opened.nonces
    assert streamed.opened.nodes == kept.opened.nodes


def test_proofs_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    case = argument_case(2)

    def prove() -> bytes:
        stream: Any = SeededStream(1)
        public = case.statement, case.relation, case.layout
        return prove_witness(*public, case.witness, stream, lambda step, part: None).to_bytes()

    kept = prove()
    stream_all(monkeypatch)
    assert prove() == kept


def test_a_large_commitment_holds_its_tree_and_no_codewords() -> None:
    """ResNet-18 with 100 triggers: 3 GiB of codewords; small ones are kept."""
    large = Layout(
        triggers=100,
        cells=1_278_215,
        lookups=1_188_106,
        rows=475_136,
        row_positions_log=12,
        code_log=21,
        columns=163,
    )
    assert codeword_memory.held_bytes(large) == 96 << 21
    assert codeword_memory.transient_bytes(large) == (64 + 36) << 21
    small = make_case(SIZES[0]).layout
    assert codeword_memory.held_bytes(small) == (96 + 4 * small.base_rows) << small.code_log
    assert codeword_memory.transient_bytes(small) == 0
