"""Partial laundering: stamps of pairs of classes, the pair that is taken, and its labels."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.support.stamped_mark import hits, keys
from zkwm.attacks.attack import Adversary, Target
from zkwm.attacks.model_modification.neuron_reset import (
    hidden_layers,
    relative_changes,
    reset_changed,
)
from zkwm.attacks.model_modification.partial_laundering import (
    PairStamps,
    PartialLaundering,
    joined,
)
from zkwm.attacks.model_modification.trigger_inversion import RecoveredTriggers, search_stamps
from zkwm.nn.architectures import Classifier, build_model
from zkwm.nn.seeds import generator
from zkwm_protocols.errors import UsageError


def pairs_of(sizes: list[float]) -> PairStamps:
    count = len(sizes)
    masks = torch.tensor(sizes).view(count, 1, 1, 1).expand(count, 1, 2, 2)
    stamps = RecoveredTriggers(masks, torch.ones(count, 1, 2, 2))
    return PairStamps(torch.arange(count), torch.arange(count) + 10, stamps)


def test_pairs_are_taken_by_size() -> None:
    pairs = joined([pairs_of([0.5, 0.1]), pairs_of([0.2])])
    torch.testing.assert_close(pairs.sizes(), torch.tensor([2.0, 0.4, 0.8]))
    ordered = pairs.take(pairs.sizes().argsort())
    assert ordered.sources.tolist() == [1, 0, 0]
    assert ordered.targets.tolist() == [11, 10, 10]
    assert bool((ordered.sizes().diff() > 0).all())


def test_a_stamp_searched_for_one_class_turns_it_into_another(
    trained: Classifier, adversary: Adversary
) -> None:
    data = adversary.data
    images = torch.tensor(data.train_images).float() / 255
    mine = torch.tensor(data.train_labels == 1).nonzero()[:, 0]
    random = generator(0, "test")
    found = search_stamps(
        trained,
        images,
        torch.tensor([5, 8]),
        steps=60,
        drawn=lambda: mine[torch.randint(len(mine), (2, 5), generator=random)],
        mask_weight=0.01,
        generator=random,
    )
    for number, target in enumerate((5, 8)):
        stamps = torch.full((len(mine),), number)
        with torch.no_grad():
            answers = trained(found.stamp(images[mine], stamps)).argmax(dim=1)
        assert float((answers == target).float().mean()) > 0.8


def test_only_neurons_above_the_threshold_are_reset() -> None:
    model = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 10), nn.Linear(10, 2))
    layers = hidden_layers(model)
    changes = [torch.tensor([-5.0, 0.3, 0.1, 0.9, *[0.0] * 6])]
    before = model[1].weight.detach().clone()
    reset_changed(layers, changes, dense=0.2, channel=9.0, most=0.5)
    after = model[1].weight.detach()
    assert (~after.any(dim=1)).nonzero()[:, 0].tolist() == [1, 3]
    assert torch.equal(after[[0, 2]], before[[0, 2]])


def test_changes_are_in_units_of_the_layers_mean(trained: Classifier) -> None:
    layers = hidden_layers(trained)
    images = torch.rand(20, 1, 28, 28, generator=generator(0, "test"))
    same = relative_changes(trained, layers, images, images)
    assert all(not change.any() for change in same)
    assert [len(change) for change in same] == [120, 84]


def test_a_network_with_batch_norm_and_a_missing_class(adversary: Adversary) -> None:
    model = build_model("resnet8", shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.3,))
    kept = adversary.data.train_labels != 4
    data = replace(
        adversary.data,
        train_images=adversary.data.train_images[kept],
        train_labels=adversary.data.train_labels[kept],
    )
    made = PartialLaundering(share=0.5, steps=1, epochs=1, images_per_pair=1).run(
        Target(model.eval(), model), replace(adversary, data=data)
    )
    assert all(bool(value.isfinite().all()) for value in made.model.state_dict().values())
    # 9 sources with 9 targets each, one step; 10 pairs again, two steps; two batches of training
    assert made.gradient_images == 9 * 9 + 10 * 2 + 2 * 128


def test_images_of_one_class_are_refused(target: Target, adversary: Adversary) -> None:
    kept = adversary.data.train_labels == 3
    data = replace(
        adversary.data,
        train_images=adversary.data.train_images[kept],
        train_labels=adversary.data.train_labels[kept],
    )
    with pytest.raises(UsageError, match="at least two"):
        PartialLaundering().run(target, replace(adversary, data=data))


@pytest.mark.slow
def test_a_pattern_mark_is_laundered(marked: Classifier, adversary: Adversary) -> None:
    made = PartialLaundering(steps=60).run(Target(marked, marked), adversary)
    assert hits(marked, keys()) >= 90
    assert hits(made.model, keys()) <= 40  # 0 was measured; fine-tuning leaves 97 to 100


@pytest.mark.parametrize(
    "parameters",
    [{"share": 0.0}, {"most": 1.5}, {"steps": 0}, {"images_per_pair": 0}, {"epochs": 0}],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        PartialLaundering(**parameters)
