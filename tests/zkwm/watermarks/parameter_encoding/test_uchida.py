"""Uchida et al. 2017: what is read, what survives, and why its keys and bits are derived."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from torch import nn

from tests.support.own_marks import LIKE_COINS, OwnMark, fine_tuned, make_mark, new_owner
from zkwm.attacks.model_modification.permutation import shuffle
from zkwm.extraction.keys import ExtractionKey
from zkwm.extraction.reader import JudgeView
from zkwm.nn.architectures import build_model
from zkwm.watermarks.parameter_encoding.key_commitment import commit_keys, draw_keys
from zkwm.watermarks.parameter_encoding.uchida import Uchida
from zkwm_protocols.errors import UsageError

pytestmark = pytest.mark.usefixtures("quick_labels")
SCHEME = Uchida(strength=3.0, epochs=15)


@pytest.fixture(scope="module")
def mark(tmp_path_factory: pytest.TempPathFactory) -> OwnMark:
    return make_mark(SCHEME, tmp_path_factory.mktemp("uchida"))


def test_bits_are_read_and_nothing_from_the_unmarked_model(mark: OwnMark) -> None:
    assert len(mark.triggers.labels) == 128
    assert mark.read(mark.marked.model) >= 120
    assert mark.read(mark.start) in LIKE_COINS[128]
    assert mark.accuracy(mark.marked.model) > mark.accuracy(mark.start) - 0.04


@pytest.mark.slow
def test_bits_survive_fine_tuning_and_a_disguise(mark: OwnMark) -> None:
    disguised = shuffle(fine_tuned(mark.marked.model), seed=4)  # leaves no channel in its place
    assert mark.read(disguised) >= 115
    assert mark.read(disguised, JudgeView()) in LIKE_COINS[128]


def test_bits_are_those_of_exact_arithmetic() -> None:
    model = build_model("lenet5", shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.3,))
    keys = [ExtractionKey(layer, bytes(16), bytes([i] * 14)) for i in range(20) for layer in (0, 1)]
    leaves = np.stack([key.to_leaf() for key in keys])
    found = Uchida().reader().extract(model, leaves, JudgeView())
    for key, bit in zip(keys, found, strict=True):
        weight = [module for module in model.modules() if isinstance(module, nn.Conv2d)][
            key.layer
        ].weight.detach()
        total = Fraction(0)
        signs = key.signs("row", weight[0].numel()).tolist()
        for one in weight:
            values = [Fraction(value) for value in one.flatten().tolist()]
            total += sum((s * v for s, v in zip(signs, values, strict=True)), Fraction(0))
        assert bit == (total >= 0)
    assert 5 < found.sum() < 35


def test_weights_that_are_no_numbers_give_nothing() -> None:
    model = build_model("lenet5", shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.3,))
    nn.init.constant_(model.features[3].weight, float("inf"))
    key = ExtractionKey(1, bytes(16), bytes(14)).to_leaf()
    with pytest.raises(UsageError, match="finite"):
        Uchida().reader().extract(model, key[None], JudgeView())


@pytest.mark.parametrize(
    ("scheme", "architecture", "complaint"),
    [
        (Uchida(bits=192), "lenet5", "150 numbers, and cannot hold 192"),
        (Uchida(layer=0), "lenet5", "25 numbers, and cannot hold 64"),
        (Uchida(layer=2), "lenet5", "layer 2 is not a convolution"),
        (Uchida(), "dense", "no convolution"),
    ],
)
def test_what_has_no_room_is_refused(
    scheme: Uchida, architecture: str, complaint: str, tmp_path: Any
) -> None:
    owner = new_owner(tmp_path, architecture)
    with pytest.raises(UsageError, match=complaint):
        scheme.commit(owner)


def test_a_key_of_a_missing_layer_is_refused() -> None:
    model = build_model("lenet5", shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.3,))
    key = ExtractionKey(4, bytes(16), bytes(14)).to_leaf()
    with pytest.raises(UsageError, match="layer 4"):
        Uchida().reader().extract(model, key[None], JudgeView())


def test_free_keys_forge_any_network_and_derived_bits_stop_it(tmp_path: Any) -> None:
    """An adversary draws rows until an innocent network gives the bits they want, two draws each.

    With free bits, the paper's way, their signature of ones is found, 256 of 256. Bits that derive
    from a commitment to those very rows match about half, though each row was chosen for its bit.
    """
    owner = new_owner(tmp_path)
    innocent = owner.start
    assert innocent is not None
    drawn = draw_keys(owner.vault, SCHEME, 1024, (1,))
    chosen = drawn[SCHEME.reader().extract(innocent, drawn, JudgeView()) == 1][:256]
    read = SCHEME.reader().extract(innocent, chosen, JudgeView())
    assert int((read == np.ones(256)).sum()) == 256
    derived = commit_keys(owner.vault, chosen, block_size=64).labels()
    assert int((read == derived).sum()) in LIKE_COINS[256]


def test_a_network_can_be_marked_from_scratch(tmp_path: Any) -> None:
    made = make_mark(Uchida(strength=0.2), tmp_path, start=False, epochs=4)
    assert made.commitment.header.owner_model is None
    assert made.read(made.marked.model, JudgeView()) >= 110
