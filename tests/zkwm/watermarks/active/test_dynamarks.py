"""DynaMarks: answers keep their first class, surrogates carry the bits, others are like coins."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support.own_marks import OwnMark, make_mark, new_owner
from tests.support.trigger_owner import small_data
from zkwm.extraction.dynamarks_regression import FEATURES, changed, features, key_maps, read_back
from zkwm.extraction.keys import ExtractionKey
from zkwm.extraction.reader import JudgeView
from zkwm.nn.architectures import build_model
from zkwm.training.fit import Fit, fit
from zkwm.watermarks.active.dynamarks import DynaMarks, Responder
from zkwm.watermarks.watermark import Api
from zkwm_protocols.errors import UsageError

pytestmark = pytest.mark.usefixtures("quick_labels")
LIKE_COINS = range(58, 143)
"""Matches of 200 that fair coins give but for one time in a thousand million."""


class Served(nn.Module):
    """A suspect that passes every question on to a service."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self.api = api

    def forward(self, images: Tensor) -> Tensor:
        return self.api(images).log()


@pytest.fixture(scope="module")
def mark(tmp_path_factory: pytest.TempPathFactory) -> OwnMark:
    return make_mark(DynaMarks(bits=200), tmp_path_factory.mktemp("dynamarks"))


@pytest.fixture(scope="module")
def questions() -> Tensor:
    """Images that the owner does not train on, noise among them."""
    noise = torch.rand(100, *small_data().shape, generator=torch.Generator().manual_seed(1))
    return torch.cat([torch.tensor(small_data().test_images).float() / 255, noise])


@pytest.mark.slow
def test_nothing_is_trained_and_first_classes_stay(mark: OwnMark, questions: Tensor) -> None:
    assert mark.marked.model is mark.start
    with torch.no_grad():
        before = mark.start(questions).softmax(dim=1)
    after = mark.marked.answers()(questions)
    assert torch.equal(after, mark.marked.answers()(questions))
    assert torch.equal(before.argmax(dim=1), after.argmax(dim=1))
    torch.testing.assert_close(after.sum(dim=1), torch.ones(len(after)))
    assert after.min() > 0
    real = len(questions) - 100
    assert 0.05 < (after - before)[:real].abs().sum(dim=1).mean() < 0.6


def test_strength_is_the_standard_deviation_of_the_change(mark: OwnMark, questions: Tensor) -> None:
    with torch.no_grad():
        before = mark.start(questions).softmax(dim=1)
    after = mark.marked.answers()(questions)
    two = after.topk(2, dim=1).values
    free = two[:, 1] < 0.97 * two[:, 0]
    change = (after.log() - (before + 0.01).log())[free]
    others = torch.ones_like(change).scatter(1, after[free].argmax(dim=1)[:, None], 0).bool()
    # In 25 draws of keys 1.77 to 2.39, on average 1.98 with a standard deviation of 0.15.
    assert 1 < change[others].reshape(-1, 9).var(dim=1).mean().sqrt() < 3


@pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("classes", [3, 10])
def test_first_classes_stay_where_answers_are_sure_or_tied(kind: torch.dtype, classes: int) -> None:
    answers = torch.zeros(4, classes)
    answers[0] = 1 / classes
    answers[1, 1] = 1.0
    answers[2, -2:] = 0.5
    answers[3, [0, -1]] = 0.5
    answers = answers.to(kind)
    drawn = torch.Generator().manual_seed(4)
    for floor in (1e-6, 0.01, 0.1):
        for strength in (0.0, 5.0, 100.0):
            changes = strength * torch.randn(4, classes, generator=drawn).to(kind)
            after = changed(answers, changes, floor)
            assert after.argmax(dim=1).tolist() == [0, 1, classes - 2, 0]
            two = after.topk(2, dim=1).values
            assert bool((two[:, 0] > two[:, 1]).all())


def test_no_other_class_comes_nearer_than_the_cap() -> None:
    answers = torch.tensor([[0.4, 0.3, 0.3]], dtype=torch.float64)
    after = changed(answers, torch.tensor([[0.0, 50.0, -50.0]]).double(), 0.01)
    torch.testing.assert_close(after[0, 1] / after[0, 0], torch.tensor(0.98).double())


def test_a_service_takes_the_images_that_its_model_takes() -> None:
    maps = torch.randn(FEATURES, 10, generator=torch.Generator().manual_seed(5))
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(6))
    model = build_model("dense", shape=(1, 8, 8), class_count=10, mean=(0.3,), std=(0.3,), seed=0)
    wanted = Responder(model, maps, 2.0, 0.01)(images)
    for kind, tolerance in ((torch.float64, 1e-5), (torch.float16, 1e-2)):
        found = Responder(model.to(kind), maps, 2.0, 0.01)(images.to(kind))
        assert found.dtype == kind
        torch.testing.assert_close(found.float(), wanted, atol=tolerance, rtol=0)


@pytest.mark.parametrize("strength", [0.5, 5.0, 100.0])
def test_first_classes_stay_however_close(strength: float) -> None:
    drawn = torch.Generator().manual_seed(2)
    answers = torch.randn(2000, 10, generator=drawn) * torch.tensor([[0.001], [5.0]] * 1000)
    answers = answers.softmax(dim=1)
    after = changed(answers, strength * torch.randn(2000, 10, generator=drawn), 0.01)
    assert torch.equal(after.argmax(dim=1), answers.argmax(dim=1))
    torch.testing.assert_close(after.sum(dim=1), torch.ones(2000))


def test_what_is_changed_is_the_ratio_of_the_others() -> None:
    answers = torch.tensor([[0.85, 0.09, 0.05, 0.01]], dtype=torch.float64)
    changes = torch.tensor([[7.0, 0.5, -0.5, 0.0]], dtype=torch.float64)
    after = changed(answers, changes, 0.01)
    torch.testing.assert_close(after[0, 0], (answers[0, 0] + 0.01) / 1.04)
    ratios = after[0, 1:] / after[0, 3]
    torch.testing.assert_close(
        ratios, torch.tensor([5 * math.exp(0.5), 3 * math.exp(-0.5), 1.0]).double()
    )


def test_features_hardly_move_with_noise(questions: Tensor) -> None:
    images = questions[:-100]
    found = features(images)
    assert found.shape == (len(images), FEATURES)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(len(images)))
    torch.testing.assert_close(features(images / 2), found)
    noise = 0.01 * torch.randn(images.shape, generator=torch.Generator().manual_seed(3))
    assert (features((images + noise).clamp(0, 1)) - found).norm(dim=1).median() < 0.1


def test_a_map_follows_from_its_own_key() -> None:
    keys = [ExtractionKey(0, bytes(16), bytes([number] * 14)) for number in range(3)]
    maps = key_maps(keys, 10)
    assert maps.shape == (3, FEATURES, 10)
    assert torch.equal(maps.abs(), torch.ones_like(maps))
    assert torch.equal(key_maps(keys[1:2], 10)[0], maps[1])
    assert maps[0].flatten().tolist() == keys[0].signs("answers", FEATURES * 10).tolist()


def test_the_service_has_all_bits_and_others_are_like_coins(mark: OwnMark) -> None:
    assert mark.read(Served(mark.marked.answers())) >= 170
    assert mark.read(mark.start) in LIKE_COINS
    for seed in range(3):
        other = build_model(
            "lenet5", shape=small_data().shape, class_count=10, mean=(0.3,), std=(0.3,), seed=seed
        )
        assert mark.read(other) in LIKE_COINS


def test_more_probes_than_one_batch_belong_to_their_answers(mark: OwnMark) -> None:
    twice = np.concatenate([mark.view.probes] * 2)
    assert len(twice) > 500
    service = Served(mark.marked.answers())
    assert mark.read(service, JudgeView(mark.start, twice)) >= 170


def test_the_opposite_change_gives_the_opposite_bits(mark: OwnMark) -> None:
    def opposite(images: Tensor) -> Tensor:
        with torch.no_grad():
            own = mark.start(images).log_softmax(dim=1)
        return (2 * own.exp().add(0.01).log() - mark.marked.answers()(images).log()).softmax(dim=1)

    assert mark.read(Served(opposite)) <= 30


@pytest.mark.slow
def test_a_network_that_learns_the_answers_carries_bits(tmp_path: Path) -> None:
    made = make_mark(DynaMarks(bits=100, strength=2.0, floor=0.05), tmp_path)
    images = torch.tensor(small_data().train_images)
    answers = made.marked.answers()(images.float() / 255)
    soft, hard = copy.deepcopy(made.start), copy.deepcopy(made.start)
    fit(soft, images, answers, Fit(epochs=15, rate=0.05, batch_size=25), seed=0)
    fit(hard, images, answers.argmax(dim=1), Fit(epochs=1, rate=0.05, batch_size=25), seed=0)
    # In 45 draws 76 to 90, on average 84 with a standard deviation of 3.
    assert made.read(soft) >= 66
    assert 18 <= made.read(hard) <= 82


def test_what_cannot_be_read(mark: OwnMark) -> None:
    leaves = mark.triggers.images[:3]
    for view in (JudgeView(probes=mark.view.probes), JudgeView(reference=mark.start)):
        with pytest.raises(UsageError, match="unmarked model as reference"):
            mark.scheme.reader().extract(mark.start, leaves, view)
    small = build_model("lenet5", shape=small_data().shape, class_count=9, mean=(0.3,), std=(0.3,))
    with pytest.raises(UsageError, match="has 9 classes, the owner's model 10"):
        mark.scheme.reader().extract(small, leaves, mark.view)

    pair = build_model("lenet5", shape=small_data().shape, class_count=2, mean=(0.3,), std=(0.3,))
    with pytest.raises(UsageError, match="for two classes"):
        mark.scheme.reader().extract(pair, leaves, JudgeView(pair, mark.view.probes))


def test_probes_in_which_nothing_can_be_read(mark: OwnMark) -> None:
    leaves = mark.triggers.images[:3]
    alike = Served(lambda images: torch.full((len(images), 10), 0.1))
    with pytest.raises(UsageError, match="an image of 7 by 28"):
        mark.scheme.reader().extract(alike, leaves, JudgeView(alike, mark.view.probes[:, :, :7]))
    constant = np.zeros_like(mark.view.probes[:3])
    constant[1] = 77
    with pytest.raises(UsageError, match="the probes are constant images"):
        mark.scheme.reader().extract(mark.start, leaves, JudgeView(mark.start, constant))
    constant[2, 0, 0, 0] = 1
    found = mark.scheme.reader().extract(mark.start, leaves, JudgeView(mark.start, constant))
    assert set(found.tolist()) <= {0, 1}


def test_a_reference_that_tells_no_classes_apart_is_subtracted_as_nothing(mark: OwnMark) -> None:
    alike = Served(lambda images: torch.full((len(images), 3), 1 / 3))
    told = Served(lambda images: images.flatten(1)[:, 300:303].softmax(dim=1))
    bits = mark.scheme.reader().extract(
        told, mark.triggers.images, JudgeView(alike, mark.view.probes)
    )
    assert 0 < bits.sum() < 200


@pytest.mark.slow
@pytest.mark.parametrize("probability", [0.0, math.inf, math.nan])
def test_answers_that_are_not_finite_are_no_answers(mark: OwnMark, probability: float) -> None:
    def broken(images: Tensor) -> Tensor:
        with torch.no_grad():
            answers = mark.start(images).softmax(dim=1)
        answers[-1, 3] = probability
        return answers

    keys, probes = mark.triggers.images, mark.view.probes
    assert mark.scheme.reader().extract(mark.start, keys, mark.view).any()
    with pytest.raises(UsageError, match="not finite"):
        mark.scheme.reader().extract(Served(broken), keys, mark.view)
    with pytest.raises(UsageError, match="not finite"):
        mark.scheme.reader().extract(mark.start, keys, JudgeView(Served(broken), probes))


def test_what_cannot_be_committed_to(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none was given"):
        DynaMarks().commit(new_owner(tmp_path, "dense"))
    (tmp_path / "second").mkdir()
    with pytest.raises(UsageError, match="hold 567 bits at most"):
        DynaMarks(bits=750).commit(new_owner(tmp_path / "second"))
    (tmp_path / "third").mkdir()
    owner = new_owner(tmp_path / "third")
    tiny = {name: getattr(owner.data, name)[..., :7] for name in ("train_images", "test_images")}
    with pytest.raises(UsageError, match="have at least 8 pixels a side"):
        DynaMarks().commit(replace(owner, data=replace(owner.data, **tiny)))
    (tmp_path / "fourth").mkdir()
    owner = new_owner(tmp_path / "fourth")
    two = replace(
        owner.data,
        train_labels=owner.data.train_labels % 2,
        test_labels=owner.data.test_labels % 2,
        class_count=2,
    )
    with pytest.raises(UsageError, match="for two classes"):
        DynaMarks(bits=50).commit(replace(owner, data=two))


@pytest.mark.parametrize(
    "parameters",
    [{"strength": value} for value in (0.0, -1.0, 5.1, math.nan)]
    + [{"floor": value} for value in (0.0, 9e-7, 0.11, math.nan)],
)
def test_parameters_out_of_range(parameters: dict[str, float]) -> None:
    ((name, _),) = parameters.items()
    with pytest.raises(UsageError, match=f"a {name} is"):
        DynaMarks(bits=50, **parameters)


@pytest.mark.parametrize("factor", [0.2, 3.0, 10.0])
def test_the_temperature_of_answers_changes_nothing_that_is_read(factor: float) -> None:
    """An adversary who multiplies their last layer moves no first class, and no bit."""
    drawn = torch.Generator().manual_seed(4)
    keys = [ExtractionKey(0, bytes(16), bytes([number] * 14)) for number in range(20)]
    inputs = features(torch.rand(60, 1, 9, 8, generator=drawn))
    known, suspect = (
        (3 * torch.randn(60, 5, generator=drawn, dtype=torch.float64)).log_softmax(dim=1)
        for _ in range(2)
    )
    plain = read_back(keys, suspect, known, inputs, 0.01)
    again = read_back(keys, (factor * suspect).log_softmax(dim=1), known, inputs, 0.01)
    assert again == pytest.approx(plain, rel=1e-6, abs=1e-9)
