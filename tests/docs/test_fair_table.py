"""Tables of grids with equal budgets and of CIFAR-10: means, worst seeds, what counts for none."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.zkwm.evaluation.conftest import made_cell

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
KEPT = {"exposures": 400.0, "embed_seconds": 32.0, "unmarked_seconds": 20.0}


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_means_and_the_worst_seed_that_counts() -> None:
    fair = importlib.import_module("docs_results_fair").fair
    cells = [
        made_cell(
            attack=attack, seed=seed, rank_bits=bits + 10 * seed, accuracy_after=after, **KEPT
        )
        for attack, bits, after in (("FTAL", 100.0, 0.88), ("idle", 5.0, 0.8))
        for seed in (0, 1, 2)
    ]
    cells[1] = made_cell(attack="FTAL", seed=1, rank_bits=3.0, accuracy_after=0.5, **KEPT)
    cells.append(made_cell(attack="dear", rank_bits=7.0, **KEPT))
    text = "\n".join(fair([cell.to_map() for cell in cells]))
    assert "| A | 400 | 100 of 100 | 1.00 ± 0.00 | 1.00 | 1.60 times |" in text
    assert "| FTAL | 75.3 % | 74 ± 155; **100** in 2 |" in text
    assert "| idle | 80.0 % | 15 ± 25; (5) |" in text
    assert "| dear (1 seed) | 88.0 % | 7; **7** |" in text
    assert "on the adversary's 100 labeled images" in text
    assert "owner's (80.0 to 80.0 %)" in text
    assert "At most 332 bits are possible. " in text
    assert "Exposures of each trigger: 400." in text
    assert "says nothing: idle." in text
    assert "by each statistic" not in text  # no points were counted
    assert "| Adi et al. 2018, authors' slides | from scratch, no attack | 100 | 93.81 |" in text
    assert list(fair([])) == []


def test_statistics_are_compared_and_declared_labels_are_matches() -> None:
    module = importlib.import_module("docs_results_fair")
    ways = {"bits": 90.0, "rank_bits": 120.0, "score_bits": 130.0}
    cells = [
        made_cell(watermark="plain", **ways, **KEPT),
        made_cell(watermark="Z", labels="declared", bits=None, evidence=None, matches=40, **KEPT),
    ]
    text = "\n".join(module.fair([cell.to_map() for cell in cells]))
    assert "| X | 88.0 % | 120; **120** | *40 of 100* |" in text
    assert "| attack | plain, matches | plain, ranks | plain, scores |" in text
    assert "| X | 90 | 120 | 130 |" in text
    relearned = made_cell(watermark="plain", **ways, relearning_bits=300.0, **KEPT).to_map()
    text = "\n".join(module.fair([relearned]))
    assert "plain, scores | plain, relearning |" in text
    assert "| X | 90 | 120 | 130 | 300 |" in text
    assert "](../benchmarks/results/grid_fair.svg)" in text
    cells.append(made_cell(watermark="plain", seed=1, accuracy_after=0.5, **ways, **KEPT))
    ((name, svg),) = module.figures({"fair": [cell.to_map() for cell in cells]})
    assert name == "grid_fair.svg"
    root = ElementTree.fromstring(svg)
    kinds = [part.get("class") for part in root.iter() if part.tag.endswith("circle")]
    assert kinds == ["dot m0", "dot m0", "dot m0 hollow"]  # the first is the legend's


def test_what_is_not_embedded_and_what_is_weaker_than_its_source() -> None:
    fair = importlib.import_module("docs_results_fair").fair
    inverted = {"attack_name": "dehydra", "attack_parameters": {"images": 50, "steps": 400}}
    cells = [
        made_cell(watermark="B", matches_before=30, scheme="le_merrer", **KEPT),
        made_cell(watermark="B", opened_used=True, trials=50, **KEPT),
        made_cell(watermark="C", attack="D", **inverted, **KEPT),
    ]
    text = "\n".join(fair([cell.to_map() for cell in cells]))
    assert "| B | 400 | 30 of 100 |" in text
    assert "| C | 400 | 100 of 100 |" in text
    assert "† B: not embedded" in text
    assert "| attack | accuracy | B † | C |" in text
    assert "B: the training begins with the unmarked network" in text
    assert "At most 332 bits are possible, 166 where a block was opened" in text
    assert "dehydra inverts 50 images of a class (Lu et al. 2024: 250)." in text


def test_a_mark_in_answers_is_not_called_badly_embedded() -> None:
    """The network behind a service has no mark, and its answers cost the points."""
    fair = importlib.import_module("docs_results_fair").fair
    served = {"served_accuracy": 0.85, "accuracy_before": 0.9, "unmarked_accuracy": 0.9}
    cell = made_cell(watermark="B", matches_before=10, **(KEPT | served))
    text = "\n".join(fair([cell.to_map()]))
    assert "| B | 400 | in answers | 5.00 | 5.00 |" in text
    assert "B: in the answers of the owner's service alone" in text
    assert "†" not in text


def test_every_grid_has_its_file() -> None:
    module = importlib.import_module("docs_results_grids")
    for grid in (*module.GRIDS, *module.PAPERS):
        assert (BENCHMARKS.parent / "examples" / "grids" / f"{grid.name}.yaml").exists()


def test_the_networks_of_cifar10() -> None:
    module = importlib.import_module("docs_results_cifar10")
    shared: dict[str, Any] = {
        "architecture": "airbench", "data": "cifar10", "device": "cpu", "precision": "bfloat16",
        "settings": {"epochs": 30}, "cpu_seconds": 5400.0, "seed": 0,
    }  # fmt: skip
    lines = [
        {**shared, "arm": "unmarked", "test_accuracy": 0.94, "matches": None, "triggers": 0},
        {**shared, "arm": "plain", "test_accuracy": 0.938, "matches": 99, "triggers": 100},
    ]
    epoch = {"arm": "plain", "training_seconds": 120.0, "settings": {"epochs": 1}}
    proof = {
        "arm": "plain", "seed": 0, "triggers": 100, "prove_seconds": 50.0, "prove_peak_mib": 2048,
        "proof_bytes": 524_288, "verify_seconds": 20.0, "outcome": "proven",
    }  # fmt: skip
    text = "\n".join(module.arms(lines, [epoch], [proof]))
    assert "takes 120 s on a quiet machine of two cores, with as many threads: 60 minutes" in text
    assert "`zkwm prove` 50 s and 2.0 GiB, a proof of 512 KiB, `zkwm verify` 20 s; proven." in text
    assert "| no mark | 0 | 94.00 % | 93.42 % |  |  | 1.5 |" in text
    plain = "| plain, the authors' triggers | 0 | 93.80 % | 93.81 % | 0.20, 0.20 | 99 of 100 |"
    assert plain in text
    cell = made_cell(watermark="plain", labels="declared", bits=None, evidence=None, matches=97)
    attacked = "\n".join(module.attacks([cell.to_map()]))
    assert "| attack | accuracy | plain, the authors' triggers |" in attacked
    assert "*97 of 100*" in attacked
    assert list(module.arms([], [], [])) == list(module.attacks([])) == []
