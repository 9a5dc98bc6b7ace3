"""The table of the fair grid: means with intervals, the worst seed, attacks that count for none."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.zkwm.evaluation.conftest import made_cell

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_means_and_the_worst_seed_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    fair = importlib.import_module("docs_results_fair").fair
    kept = {"exposures": 400.0, "embed_seconds": 32.0, "unmarked_seconds": 20.0}
    cells = [
        made_cell(
            attack=attack, seed=seed, rank_bits=bits + 10 * seed, accuracy_after=after, **kept
        )
        for attack, bits, after in (("FTAL", 100.0, 0.88), ("idle", 5.0, 0.8))
        for seed in (0, 1, 2)
    ]
    cells[1] = made_cell(attack="FTAL", seed=1, rank_bits=3.0, accuracy_after=0.5, **kept)
    text = "\n".join(fair([cell.to_map() for cell in cells]))
    assert "| A | 400 | 1.00 ± 0.00 | 1.00 | 1.60 times |" in text
    assert "| FTAL | 74 ± 155; **100** |" in text
    assert "| idle | 15 ± 25; (5) |" in text
    assert text.rstrip().endswith("says nothing: idle.")
    assert list(fair([])) == []
