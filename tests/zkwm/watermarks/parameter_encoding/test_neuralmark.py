"""NeuralMark (Yao et al. 2026): bits in pooled weights, at places that follow from keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.support.own_marks import LIKE_COINS, OwnMark, fine_tuned, make_mark, new_owner
from tests.support.trigger_owner import small_data
from zkwm.attacks.model_modification.permutation import shuffle
from zkwm.attacks.model_modification.structural_obfuscation import StructuralObfuscation
from zkwm.extraction.keys import ExtractionKey, read_keys
from zkwm.extraction.neuralmark import CELLS, NeuralMarkReader, key_row
from zkwm.extraction.neuron_groups import weighted_layers
from zkwm.extraction.reader import JudgeView
from zkwm.nn.architectures import build_model
from zkwm.watermarks.parameter_encoding.neuralmark import NeuralMark
from zkwm_protocols.errors import UsageError

QUICK = pytest.mark.usefixtures("quick_labels")


def key(number: int, layer: int = 0) -> ExtractionKey:
    return ExtractionKey(layer, bytes(16), number.to_bytes(14, "big"))


@pytest.fixture(scope="module")
def mark(tmp_path_factory: pytest.TempPathFactory) -> OwnMark:
    return make_mark(NeuralMark(epochs=4), tmp_path_factory.mktemp("neuralmark"))


def test_a_key_keeps_half_of_the_weights_in_cells_of_one_sign() -> None:
    row = key_row(key(1), 48_000)
    kept = row[row != 0]
    assert 23_000 < len(kept) < 25_000
    changes = int((np.diff(kept) != 0).sum())
    assert 10 < changes < CELLS
    assert len(set(map(bytes, (key_row(key(number), 200) for number in range(20))))) == 20
    assert key_row(key(1), 0).shape == (0,)


@pytest.mark.slow
@QUICK
def test_all_bits_are_read_and_nothing_from_the_unmarked_model(mark: OwnMark) -> None:
    assert len(mark.triggers.labels) == 256
    assert mark.read(mark.marked.model) == 256
    assert mark.read(mark.start) in LIKE_COINS[256]
    assert mark.accuracy(mark.marked.model) > mark.accuracy(mark.start) - 0.04
    assert {one.layer for one in read_keys(mark.triggers.images)} == {2}  # 48,000 weights


@pytest.mark.slow
@QUICK
def test_bits_survive_fine_tuning_and_disguises(mark: OwnMark) -> None:
    tuned = fine_tuned(mark.marked.model)
    wide = StructuralObfuscation().obfuscated(tuned, 1)
    for disguised in (shuffle(tuned, seed=1), wide):
        assert mark.read(disguised) >= 245
        assert mark.read(disguised, JudgeView()) in LIKE_COINS[256]


def test_bits_of_innocent_networks_are_fair_coins() -> None:
    """Each key's bit over 40 networks: no key has a bit that networks prefer."""
    keys = np.stack([key(number, 1).to_leaf() for number in range(64)])
    networks = [
        build_model("cnn2", shape=(1, 8, 8), class_count=4, mean=[0.3], std=[0.3], seed=seed)
        for seed in range(40)
    ]
    bits = np.stack([NeuralMarkReader().extract(one, keys, JudgeView()) for one in networks])
    assert 0.45 < bits.mean() < 0.55
    assert (np.abs(bits.mean(axis=0) - 0.5) < 0.4).all()  # 5 standard deviations of 40 coins


@QUICK
def test_layers_that_do_not_fit_are_refused(tmp_path: Any) -> None:
    owner = new_owner(tmp_path, "dense")
    for scheme, complaint in (
        (NeuralMark(layer=9), "no layer 9"),
        (NeuralMark(bits=32_768), "too small"),
    ):
        with pytest.raises(UsageError, match=complaint):
            scheme.commit(owner)
    with pytest.raises(UsageError):
        NeuralMark(strength=0.0)
    model = build_model("dense", shape=small_data().shape, class_count=10, mean=(0.3,), std=(0.3,))
    with pytest.raises(UsageError, match="names layer 7"):
        NeuralMarkReader().extract(model, key(1, 7).to_leaf()[None], JudgeView())
    with torch.no_grad():
        weighted_layers(model)[1][1].weight[3, 3] = float("nan")
    with pytest.raises(UsageError, match="finite"):
        NeuralMarkReader().extract(model, key(1, 1).to_leaf()[None], JudgeView())
