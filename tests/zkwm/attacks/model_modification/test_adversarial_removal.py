"""Adversarial perturbations as a removal: I-BAU's hypergradient, and training on moved images."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from tests.support.stamped_mark import hits, keys
from zkwm.attacks.attack import Adversary, Target
from zkwm.attacks.model_modification.adversarial_training import AdversarialTraining, most_harmful
from zkwm.attacks.model_modification.hypergradient_unlearning import (
    INNER_STEP,
    HypergradientUnlearning,
    hypergradient,
    inner_loss,
    worst_perturbation,
)
from zkwm.nn.architectures import Classifier, build_model
from zkwm.nn.inference import matches
from zkwm_protocols.errors import UsageError


def images_of(adversary: Adversary, count: int) -> tuple[Tensor, Tensor]:
    data = adversary.data
    return (
        torch.tensor(data.train_images[:count]).float() / 255,
        torch.tensor(data.train_labels[:count]),
    )


@pytest.mark.parametrize("iterations", [1, 2, 5])
def test_the_hypergradient_is_that_of_the_formula(iterations: int) -> None:
    """Jacobians written out, and the sum of powers that the iteration stands for."""
    torch.manual_seed(4)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    images, others = torch.rand(2, 6, 1, 2, 2, dtype=torch.float64).unbind()
    labels, truth = torch.randint(2, (2, 6)).unbind()
    d = torch.rand(1, 1, 2, 2, dtype=torch.float64)
    chosen = torch.tensor([1, 4])
    found = hypergradient(model, d, (images, labels), (others, truth, chosen), iterations)

    names = [name for name, _ in model.named_parameters()]
    shapes = [value.shape for _, value in model.named_parameters()]
    flat = torch.cat([value.detach().reshape(-1) for value in model.parameters()])

    def answers(weights: Tensor, inputs: Tensor) -> Tensor:
        parts = torch.split(weights, [shape.numel() for shape in shapes])
        named = {
            name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)
        }
        logits: Tensor = functional_call(model, named, (inputs,))
        return logits

    def stepped(moved: Tensor, weights: Tensor) -> Tensor:
        moved = moved.view(1, 1, 2, 2)
        error = functional.cross_entropy(answers(weights, images + moved), labels)
        loss = 0.001 * moved.square().sum() - error
        (slope,) = torch.autograd.grad(loss, moved, create_graph=True)
        return (moved - INNER_STEP * slope).reshape(-1)

    def outer(moved: Tensor, weights: Tensor) -> Tensor:
        added = others.clone()
        added[chosen] = added[chosen] + moved.view(1, 1, 2, 2)
        return functional.cross_entropy(answers(weights, added), truth)

    at = (d.reshape(-1).requires_grad_(), flat.requires_grad_())
    by_d, by_weights = torch.autograd.functional.jacobian(stepped, at)
    slope_d, slope_weights = torch.autograd.functional.jacobian(outer, at)
    v = sum(torch.linalg.matrix_power(by_d.T, power) @ slope_d for power in range(iterations))
    expected = slope_weights + by_weights.T @ v
    torch.testing.assert_close(torch.cat([part.reshape(-1) for part in found]), expected)


def test_the_worst_perturbation_lies_in_its_ball_and_harms(
    trained: Classifier, adversary: Adversary
) -> None:
    images, labels = images_of(adversary, 200)
    harm = []
    for radius in (0.5, 4.0):
        worst = worst_perturbation(trained, list(images.split(50)), radius)
        assert worst.shape == (1, 1, 28, 28)
        assert float(worst.norm()) <= radius * 1.0001
        harm.append(-float(inner_loss(trained, worst, images, labels).detach()))
    start = -float(inner_loss(trained, torch.zeros(1, 1, 28, 28), images, labels).detach())
    assert start < harm[0] < harm[1]


def test_unlearning_counts_its_gradients(target: Target, adversary: Adversary) -> None:
    attack = HypergradientUnlearning(rounds=2, iterations=3, batch_size=100, share=0.5)
    made = attack.run(target, adversary)
    assert made.images == 150
    # in each round 150 images climb; of two batches each has an outer loss and 4 passes of 100
    assert made.gradient_images == 2 * (150 + 150 + 2 * 4 * 100)


def test_batch_norm_statistics_stay_in_unlearning(adversary: Adversary) -> None:
    model = build_model("resnet8", shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.3,))
    made = HypergradientUnlearning(rounds=1, iterations=2, share=0.1, batch_size=15).run(
        Target(model.eval(), model), adversary
    )
    state, before = made.model.state_dict(), model.state_dict()
    assert all(bool(value.isfinite().all()) for value in state.values())
    for name, value in before.items():
        assert torch.equal(state[name], value) == ("running" in name or "normal" in name
                                                   or "tracked" in name)  # fmt: skip


@pytest.mark.slow
def test_a_pattern_mark_is_unlearned(marked: Classifier, adversary: Adversary) -> None:
    attack = HypergradientUnlearning(batch_size=10, rate=0.003)
    made = attack.run(Target(marked, marked), adversary)
    test = torch.tensor(adversary.data.test_images)
    labels = torch.tensor(adversary.data.test_labels)
    right = [matches(model, test, labels) for model in (marked, made.model)]
    # of 100 images 99 before and 3 after; of 200 test images 155 and 150 were right
    assert hits(marked, keys()) >= 90
    assert hits(made.model, keys()) <= 40
    assert right[1] >= right[0] - 30


def test_moved_images_stay_within_the_budget_and_harm(
    trained: Classifier, adversary: Adversary
) -> None:
    images, labels = images_of(adversary, 100)
    random = torch.Generator().manual_seed(1)
    moved = most_harmful(trained, images, labels, budget=0.05, steps=5, random=random)
    assert float((moved - images).abs().max()) <= 0.05 + 1e-6
    assert float(moved.min()) >= 0
    assert float(moved.max()) <= 1
    with torch.no_grad():
        losses = [
            float(functional.cross_entropy(trained(part), labels)) for part in (images, moved)
        ]
    assert losses[1] > 1.5 * losses[0]
    assert not trained.training


def test_training_counts_steps_and_epochs(target: Target, adversary: Adversary) -> None:
    made = AdversarialTraining(steps=3, moved=60, epochs=2, batch_size=90).run(target, adversary)
    assert made.images == 300
    assert made.gradient_images == 2 * (3 * 60 + 4 * 90)  # 360 images make 4 batches
    few = replace(adversary.data, train_images=adversary.data.train_images[:20],
                  train_labels=adversary.data.train_labels[:20])  # fmt: skip
    made = AdversarialTraining(steps=1, epochs=1).run(target, replace(adversary, data=few))
    assert made.gradient_images == 20 + 40


@pytest.mark.parametrize(
    ("made", "parameters"),
    [
        (HypergradientUnlearning, {"rounds": 0}),
        (HypergradientUnlearning, {"iterations": 0}),
        (HypergradientUnlearning, {"rate": 0.0}),
        (HypergradientUnlearning, {"radius": -1.0}),
        (HypergradientUnlearning, {"batch_size": 0}),
        (HypergradientUnlearning, {"share": 2.0}),
        (AdversarialTraining, {"levels": 0}),
        (AdversarialTraining, {"levels": 256}),
        (AdversarialTraining, {"steps": 0}),
        (AdversarialTraining, {"moved": 0}),
        (AdversarialTraining, {"epochs": 0}),
        (AdversarialTraining, {"rate": 0.0}),
    ],
)
def test_parameters_out_of_range_are_refused(
    made: type[HypergradientUnlearning | AdversarialTraining], parameters: dict[str, float]
) -> None:
    with pytest.raises(UsageError):
        made(**parameters)
