"""Relearning in a grid: where it is counted, under which digest, and what it is priced at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from zkwm.attacks.input_preprocessing.wrapped_model import FilteredInputModel
from zkwm.evaluation.plan.experiment import Experiment
from zkwm.evaluation.plan.grid import Grid
from zkwm.evaluation.results.cell import CountedBy
from zkwm.evaluation.results.tables import bits_csv, grid_tables
from zkwm.evaluation.run.measure import MarkReading, count_mark, with_relearning
from zkwm.evaluation.run.price import price
from zkwm.evaluation.run.relearned_mark import ranks_when_relearned
from zkwm.evaluation.run.runner import run_grid
from zkwm.nn.architectures import build_model
from zkwm.nn.image_source import as_unit
from zkwm.triggers import TriggerSet
from zkwm_protocols.rank_tails import rank_hundredths
from zkwm_protocols.ranks import ranks, weighted_sum

Made = Callable[..., Grid]
MARKS = [{"name": "scored", "label": "A", "count": 8}, {"name": "fake", "label": "B", "count": 8}]


def test_copies_of_built_in_networks_are_trained(
    fakes: ModuleType, tiny: Made, tmp_path: Path
) -> None:
    grid = tiny(watermarks=MARKS, attacks=["none", "wrapped"], relearning=True)
    outcome = run_grid(grid, tmp_path)
    assert outcome.errors == ()
    plain, wrapped, *without_scores = outcome.cells
    assert None not in (plain.relearning_bits, plain.relearning_evidence, plain.rank_bits)
    assert (plain.relearning_seconds or 0.0) > 0.0
    assert wrapped.rank_bits == plain.rank_bits
    assert wrapped.relearning_bits is wrapped.relearning_seconds is None
    assert {cell.relearning_bits for cell in without_scores} == {None}
    (table,) = grid_tables(outcome, CountedBy.RELEARNING)
    ((name, left, none),) = table.rows
    assert (name, none) == ("A", "–")
    assert left != none
    assert CountedBy.RELEARNING.note in table.meaning
    assert bits_csv(outcome, CountedBy.RELEARNING).splitlines()[1].endswith(",")


def test_cells_without_it_stay_and_price_those_with_it(
    fakes: ModuleType, tiny: Made, tmp_path: Path
) -> None:
    entries = {"watermarks": MARKS[:1], "attacks": [{"name": "fade", "kept": 5}]}
    grid, before = tiny(**entries, relearning=True), tiny(**entries)
    first = run_grid(before, tmp_path)
    assert first.cells[0].relearning_bits is None
    assert grid_tables(first, CountedBy.RELEARNING) == ()
    lines = {line.kind: line for line in price(Experiment(grid, tmp_path))}
    assert (lines["attack"].done, lines["attack"].missing) == (0, 1)
    assert lines["attack"].seconds == first.cells[0].processor_seconds
    assert (lines["relearning"].missing, lines["relearning"].left) == (1, None)
    fakes.RUNS.clear()
    outcome = run_grid(grid, tmp_path)
    assert fakes.RUNS == ["fade 5 50000 100"]
    assert outcome.cells[0].digest != first.cells[0].digest
    assert run_grid(before, tmp_path).cells == first.cells
    lines = {line.kind: line for line in price(Experiment(grid, tmp_path))}
    assert lines["relearning"].seconds == outcome.cells[0].relearning_seconds
    assert lines["relearning"].left == 0.0
    assert "relearning" not in {line.kind for line in price(Experiment(before, tmp_path))}


def test_a_cell_counted_by_other_files_is_measured_again(
    fakes: ModuleType, tiny: Made, tmp_path: Path
) -> None:
    grid = tiny(watermarks=MARKS[:1], attacks=["none"], relearning=True)
    now = Experiment(grid, tmp_path)
    changed = Experiment(grid, tmp_path, {**now.input_digests, "relearning": "00"})
    (entry,), (attack,), seed = grid.watermarks, grid.attacks, grid.seeds[0]
    assert now.cell(entry, attack, seed) != changed.cell(entry, attack, seed)
    same = {"without_relearning": True}
    assert now.cell(entry, attack, seed, **same) == changed.cell(entry, attack, seed, **same)


def test_an_opened_block_is_neither_asked_about_nor_learned() -> None:
    model = build_model("lenet5", shape=(1, 28, 28), class_count=10, mean=[0.5], std=[0.3], seed=3)
    random = np.random.default_rng(5)
    images = random.integers(0, 256, (12, 1, 28, 28), dtype=np.uint8)
    labels = random.integers(0, 10, 12)
    triggers = TriggerSet(images, labels, "drawn", 4, 10)
    with torch.no_grad():
        scores = model(as_unit(torch.tensor(images))).double().numpy()
    counted = count_mark(triggers, scores.argmax(axis=1), scores, exact=True, left_out=1)
    found = with_relearning(counted, model, triggers, scores, left_out=1)
    wanted = labels[4:].tolist()
    places = ranks_when_relearned(model, images[4:], wanted, scores[4:])
    assert places[0] == ranks(scores[4:], wanted)[0]  # eight are left, each a part of its own
    bits = rank_hundredths(weighted_sum(places, 10), 8, 10) / 100
    assert found.relearning_bits == bits
    assert (found.trials, found.matches, found.rank_bits) == (8, counted.matches, counted.rank_bits)


def test_a_wrapped_network_or_one_of_scores_without_end_is_left_as_it_was() -> None:
    model = build_model("lenet5", shape=(1, 28, 28), class_count=10, mean=[0.5], std=[0.3])
    images = np.random.default_rng(1).integers(0, 256, (4, 1, 28, 28), dtype=np.uint8)
    triggers = TriggerSet(images, np.zeros(4, np.int64), "drawn", 2, 10)
    reading, finite = MarkReading(matches=0), np.zeros((4, 10))
    wrapped = FilteredInputModel(torch.nn.Identity(), model)
    assert with_relearning(reading, wrapped, triggers, finite) is reading
    assert with_relearning(reading, model, triggers, np.full((4, 10), np.nan)) is reading
