"""A slice of the fuzzing of every kind of file, and that nothing is left out of it.

The long runs: ``python benchmarks/fuzz.py``, results in benchmarks/results/fuzz.jsonl.
"""

from __future__ import annotations

import pytest

from tests.fuzz.harness import Kind, document, run
from tests.fuzz.kinds import all_kinds

COUNT = 150
SLOW = {"ONNX, quantized": 10, "ONNX, translated": 60, "judge's ledger": 60, "grid": 100,
        "safetensors model": 100, "timestamp token": 60, "timestamp certificates": 60,
        "case of a dispute": 60}  # fmt: skip


@pytest.mark.parametrize("kind", all_kinds().values(), ids=lambda kind: kind.name)
def test_every_reader_refuses_by_name_or_reads(kind: Kind) -> None:
    found = run(kind, 1_000_000, SLOW.get(kind.name, COUNT))
    assert not found.failures, found.examples
    assert sum(found.refused.values()) > 0


def test_documents_are_the_same_each_time() -> None:
    for kind in all_kinds().values():
        assert document(kind, 7) == document(kind, 7) or kind.name.endswith("file")
