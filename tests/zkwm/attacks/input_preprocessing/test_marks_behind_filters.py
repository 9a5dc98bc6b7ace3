"""Marks in weights are read behind a filter, and are void in another network."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from zkwm.attacks.attack import Adversary, Attack, Target
from zkwm.attacks.input_preprocessing.blockdoor import BlockDoor
from zkwm.attacks.input_preprocessing.jpeg import Jpeg
from zkwm.attacks.input_preprocessing.outlier_detector import MAHALANOBIS, OutlierDetector
from zkwm.attacks.input_preprocessing.smoothing import Smoothing
from zkwm.attacks.input_preprocessing.wrapped_model import WrappedModel, unwrap
from zkwm.attacks.model_extraction.extraction import Extraction
from zkwm.evaluation.run.measure import read_mark
from zkwm.extraction.keys import ExtractionKey
from zkwm.extraction.reader import JudgeView
from zkwm.nn.architectures import build_model
from zkwm.triggers import TriggerSet
from zkwm.watermarks.parameter_encoding.deepsigns import DeepSigns
from zkwm.watermarks.parameter_encoding.tartaglione import Tartaglione
from zkwm.watermarks.parameter_encoding.uchida import Uchida
from zkwm.watermarks.trigger_sets.adi import Adi
from zkwm.watermarks.watermark import Watermark

FILTERS = [
    Smoothing(),
    Smoothing("gaussian"),
    Jpeg(50),
    OutlierDetector(),
    OutlierDetector(MAHALANOBIS),
    BlockDoor(epochs=1),
]
MARKS = [(Uchida(), 1), (DeepSigns(), 3), (Tartaglione(), 0)]
"""Schemes whose marks are in the network, each with the layer (or class) of its keys."""


def keys(layer: int) -> np.ndarray:
    return np.stack(
        [ExtractionKey(layer, bytes(16), bytes([i] * 14)).to_leaf() for i in range(1, 65)]
    )


def read(scheme: Watermark, layer: int, model: nn.Module, view: JudgeView) -> TriggerSet:
    """Keys whose labels are the bits that ``model`` gives: who matches all has the same bits."""
    bits = scheme.reader().extract(deepcopy(model), keys(layer), view)
    assert 0 < bits.sum() < 64
    return TriggerSet(keys(layer), bits, "keys", 64, 2)


@pytest.fixture
def views(adversary: Adversary) -> tuple[JudgeView, JudgeView]:
    """With a reference that the suspect is aligned with, and without."""
    reference = build_model(
        "lenet5", shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.3,), seed=1
    )
    probes = adversary.data.test_images
    return JudgeView(reference=reference, probes=probes), JudgeView(probes=probes)


@pytest.mark.slow
@pytest.mark.parametrize("attack", FILTERS, ids=repr)
def test_marks_in_the_network_are_read_behind_a_filter(
    attack: Attack, target: Target, adversary: Adversary, views: tuple[JudgeView, JudgeView]
) -> None:
    filtered = attack.run(target, adversary).model
    for scheme, layer in MARKS:
        for view in views:
            bits = read(scheme, layer, target.model, view)
            reading = read_mark(scheme, filtered, bits, view)
            assert (reading.void, reading.matches, reading.trials) == ("", 64, 64)


@pytest.mark.slow
def test_a_mark_in_answers_is_read_through_the_filter(
    target: Target, adversary: Adversary, triggers: TriggerSet
) -> None:
    filtered = OutlierDetector().run(target, adversary).model
    plain, gated = (
        read_mark(Adi(), one, triggers, JudgeView()) for one in (target.model, filtered)
    )
    assert plain.matches is not None
    assert gated.matches is not None
    assert gated.matches < plain.matches - 20


@pytest.mark.parametrize(("scheme", "layer"), MARKS, ids=lambda value: str(value)[:11])
def test_a_network_of_another_architecture_is_void(
    scheme: Watermark,
    layer: int,
    target: Target,
    adversary: Adversary,
    views: tuple[JudgeView, JudgeView],
) -> None:
    replaced = Extraction(architecture="dense", epochs=1).run(target, adversary).model
    reading = read_mark(scheme, replaced, read(scheme, layer, target.model, views[0]), views[0])
    assert "cannot be aligned" in reading.void
    assert reading.matches is None


def test_only_wrappers_are_unwrapped() -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = nn.Linear(2, 2)

    other, filtered = Other(), WrappedModel(nn.Linear(2, 2))
    assert unwrap(other) is other
    assert unwrap(filtered) is filtered.network
    assert torch.equal(filtered.network.weight, unwrap(filtered).get_parameter("weight"))
