"""Tartaglione et al. 2020: locked parameters at secret places, and walls around them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.support.own_marks import LIKE_COINS, OwnMark, fine_tuned, make_mark, new_owner
from tests.support.trigger_owner import small_data
from zkwm.attacks.model_modification.permutation import shuffle
from zkwm.extraction.keys import ExtractionKey, read_keys
from zkwm.extraction.reader import JudgeView
from zkwm.watermarks.parameter_encoding import tartaglione
from zkwm.watermarks.parameter_encoding.tartaglione import Tartaglione
from zkwm_protocols.errors import UsageError

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_labels")]
SCHEME = Tartaglione(epochs=6, replicas=0)


@pytest.fixture(scope="module")
def mark(tmp_path_factory: pytest.TempPathFactory) -> OwnMark:
    return make_mark(SCHEME, tmp_path_factory.mktemp("tartaglione"))


def flat_weights(model: nn.Module) -> torch.Tensor:
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    return torch.cat([layer.weight.detach().flatten() for layer in layers])


def positions(mark: OwnMark) -> list[int]:
    total = len(flat_weights(mark.start))
    return [int(key.choices("position", 1, total)[0]) for key in read_keys(mark.triggers.images)]


def test_all_bits_are_read_and_nothing_from_the_unmarked_model(mark: OwnMark) -> None:
    assert len(mark.triggers.labels) == 256
    assert mark.read(mark.marked.model) == 256
    assert mark.read(mark.start) in LIKE_COINS[256]
    assert mark.accuracy(mark.marked.model) > mark.accuracy(mark.start) - 0.04


def test_positions_differ_and_hold_exactly_the_values_of_their_layer(mark: OwnMark) -> None:
    places = positions(mark)
    assert len(set(places)) == 256
    held = flat_weights(mark.marked.model)[places]
    assert ((held >= 0).long().numpy() == mark.triggers.labels).all()
    layers = [m for m in mark.start.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    sizes = torch.tensor([layer.weight.numel() for layer in layers]).cumsum(0)
    of_layer = torch.searchsorted(sizes, torch.tensor(places), right=True)
    spreads = torch.stack([layer.weight.detach().std() for layer in layers])
    assert torch.allclose(held.abs(), 2.0 * spreads[of_layer])


def test_bits_survive_fine_tuning_and_a_disguise(mark: OwnMark) -> None:
    disguised = shuffle(fine_tuned(mark.marked.model), seed=1)
    assert mark.read(disguised) >= 245
    assert mark.read(disguised, JudgeView()) in LIKE_COINS[256]


def test_keys_that_meet_are_drawn_again(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tartaglione, "LEAST_WEIGHTS", 1)
    monkeypatch.setattr(tartaglione, "weight_count", lambda _: 70)
    owner = new_owner(tmp_path)
    scheme = Tartaglione(bits=64)
    leaves = scheme.trigger_set(owner, scheme.commit(owner)).images
    places = [int(key.choices("position", 1, 70)[0]) for key in read_keys(leaves)]
    assert len(set(places)) == 64


def test_replicas_raise_walls(mark: OwnMark, tmp_path: Any) -> None:
    """With noise and a height that cost accuracy: this is about the mechanism alone.

    Keys decide how much: the height was 76 to 1700 times that of no replicas, so three are made.
    """
    scheme, noise, walls = Tartaglione(epochs=6, noise=0.1, wall=10.0, height=1.0), 0.1, []
    for name in "abc":
        (tmp_path / name).mkdir()
        walls.append(wall(make_mark(scheme, tmp_path / name), noise))
    assert np.mean(walls) > 10 * wall(mark, noise)


@pytest.mark.parametrize("wrong", [{"replicas": 3}, {"noise": 0.0}, {"magnitude": -1.0}])
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Tartaglione(**wrong)


def wall(mark: OwnMark, noise: float) -> float:
    """How much the loss grows, on average, when the marked parameters get noise."""
    data = small_data()
    images = torch.tensor(data.train_images[:200]).float() / 255
    labels = torch.tensor(data.train_labels[:200])
    places = torch.tensor(positions(mark))
    drawn = noise * torch.randn(10, len(places), generator=torch.Generator().manual_seed(0))
    grown = []
    with torch.no_grad():
        before = functional.cross_entropy(mark.marked.model(images), labels)
        for added in torch.cat([drawn, -drawn]):
            noisy = copy.deepcopy(mark.marked.model)
            start = 0
            for layer in noisy.modules():
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    flat = layer.weight.view(-1)
                    inside = (places >= start) & (places < start + len(flat))
                    flat[places[inside] - start] += added[inside]
                    start += len(flat)
            grown.append(functional.cross_entropy(noisy(images), labels) - before)
    return float(torch.stack(grown).mean())


def test_a_network_that_is_too_small_is_refused(tmp_path: Any) -> None:
    with pytest.raises(UsageError, match="too small"):
        Tartaglione(bits=8192).commit(new_owner(tmp_path))


def test_zero_reads_as_one(mark: OwnMark) -> None:
    empty = copy.deepcopy(mark.start)
    for parameter in empty.parameters():
        nn.init.zeros_(parameter)
    leaf = ExtractionKey(0, bytes(16), bytes(14)).to_leaf()[None]
    found = SCHEME.reader().extract(empty, leaf, JudgeView())
    assert found.dtype == np.int64
    assert found.tolist() == [1]
