"""REFIT, transfer and overwriting, which train on more than the adversary's own task."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from zkwm.attacks.attack import Adversary, Target
from zkwm.attacks.model_modification.fine_tuning import FineTuning
from zkwm.attacks.model_modification.overwriting import Overwriting
from zkwm.attacks.model_modification.refit import Refit, fisher_information
from zkwm.attacks.model_modification.transfer import Transfer, rotation_task
from zkwm.attacks.other_data import other_data, other_images, resized
from zkwm.attacks.starting_point import head_of
from zkwm.nn.inference import matches, predictions
from zkwm.training.fit import fit
from zkwm_protocols.errors import UsageError


def distance(one: torch.nn.Module, other: torch.nn.Module) -> float:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return sum(float((a - b).detach().square().sum()) for a, b in pairs)


@pytest.mark.parametrize("task", ["rotation", "half"])
def test_transfer_trains_the_features_and_puts_the_head_back(
    task: str, target: Target, adversary: Adversary
) -> None:
    made = Transfer(task=task, epochs=1).run(target, adversary)
    assert "head was put back" in made.void
    assert torch.equal(head_of(made.model).weight, head_of(target.model).weight)
    assert torch.equal(head_of(made.model).bias, head_of(target.model).bias)
    first = next(made.model.features.parameters())
    assert not torch.equal(first, next(target.model.features.parameters()))
    upper = int((adversary.data.train_labels >= 5).sum())
    assert made.images == (300 if task == "rotation" else upper)


def test_labels_of_the_rotation_task_are_the_turns(adversary: Adversary) -> None:
    """Turned back by their labels, images are those of the adversary."""
    images, labels, classes = rotation_task(adversary.data)
    for number in (1, 2, 3, 7):
        back = np.rot90(images[number], -labels[number], axes=(1, 2))
        np.testing.assert_array_equal(back, adversary.data.train_images[number])
    assert (classes, set(labels.tolist())) == (4, {0, 1, 2, 3})


def test_transfer_to_another_data_set(
    target: Target, adversary: Adversary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (60, 14, 20, 3), dtype=np.uint8)
    labels = np.arange(60) % 3
    np.savez(tmp_path / "other.npz", x_train=colors, y_train=labels, x_test=colors, y_test=labels)
    monkeypatch.setenv("ZKWM_DATA", str(tmp_path))
    assert Transfer(task="other", epochs=1).run(target, adversary).images == 60
    read = other_data(str(tmp_path / "other.npz"), (1, 28, 28))
    assert read.train_images.shape == (60, 1, 28, 28)
    assert other_images("other", 25, adversary).shape == (25, 1, 28, 28)
    monkeypatch.delenv("ZKWM_DATA")
    with pytest.raises(UsageError) as raised:
        other_images("other", 25, adversary)
    assert "ZKWM_DATA" in raised.value.hint


def test_images_are_resized_and_recolored() -> None:
    colors = np.zeros((2, 3, 8, 8), np.uint8)
    colors[1] = 200
    gray = resized(colors, (1, 4, 6))
    assert gray.shape == (2, 1, 4, 6)
    assert (gray[0] == 0).all()
    assert (gray[1] == 200).all()
    assert (resized(gray, (3, 4, 6)) == gray).all()
    assert resized(colors, (3, 8, 8)).tobytes() == colors.tobytes()


@pytest.mark.data
def test_mnist_is_found_by_its_name(
    adversary: Adversary, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZKWM_DATA", str(data_folder))
    images = other_images("mnist", 25, adversary)
    assert images.shape == (25, 1, 28, 28)
    assert len(np.unique(images.reshape(25, -1), axis=0)) == 25


@pytest.mark.slow
def test_refit_without_additions_is_fine_tuning(target: Target, adversary: Adversary) -> None:
    refitted = Refit(epochs=2).run(target, adversary)
    tuned = FineTuning(rate=0.05, schedule="epoch-decay", decay=0.9, decay_every=1, epochs=2)
    assert distance(refitted.model, tuned.run(target, adversary).model) == 0


def test_consolidation_holds_important_weights(target: Target, adversary: Adversary) -> None:
    """Weighted by Fisher information, the weights move less than half as far with it."""
    images = torch.tensor(adversary.data.train_images[:50])
    fisher = fisher_information(target.model, images, adversary)
    gone = {}
    for strength in (0.0, 1000.0):
        attack = Refit(epochs=2, consolidation=strength, fisher_images=50)
        after = dict(attack.run(target, adversary).model.named_parameters())
        gone[strength] = sum(
            float((fisher[name] * (after[name] - before).detach().square()).sum())
            for name, before in target.model.named_parameters()
        )
    assert gone[1000.0] < gone[0.0] / 2


def test_fisher_information_is_the_mean_squared_gradient(
    target: Target, adversary: Adversary
) -> None:
    """Against a plain loop: with a constant image, each class's gradient by its probability."""
    images = torch.tensor(np.repeat(adversary.data.train_images[:1], 500, axis=0))
    estimated = fisher_information(target.model, images, adversary)
    model = target.model
    names = [name for name, _ in model.named_parameters()]
    answer = model(images[:1].float() / 255).log_softmax(dim=1)[0]
    expected = {name: torch.zeros_like(estimated[name]) for name in names}
    for likelihood in answer:
        gradients = torch.autograd.grad(likelihood, list(model.parameters()), retain_graph=True)
        for name, gradient in zip(names, gradients, strict=True):
            expected[name] += likelihood.detach().exp() * gradient.square()
    largest = max(float(value.max()) for value in expected.values())
    assert max(float(value.max()) for value in estimated.values()) == pytest.approx(1)
    for name in names:
        torch.testing.assert_close(estimated[name], expected[name] / largest, atol=0.2, rtol=0)


def test_unlabeled_images_get_the_labels_of_the_stolen_model(
    target: Target, adversary: Adversary, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []

    def recorded(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, *rest, **more):
        seen.extend((images, labels))
        return fit(model, images, labels, *rest, **more)

    monkeypatch.setattr("zkwm.attacks.model_modification.refit.fit", recorded)
    made = Refit(epochs=1, unlabelled="noise", unlabelled_share=0.5).run(target, adversary)
    images, labels = seen
    assert torch.equal(labels[300:], predictions(target.model, images[300:]))
    assert images.shape == (450, 1, 28, 28)
    assert made.images == 300
    assert made.gradient_images == 400  # 450 in whole batches of 100


@pytest.mark.usefixtures("quick_labels")
def test_overwriting_embeds_a_second_mark(target: Target, adversary: Adversary) -> None:
    attack = Overwriting(triggers=20, epochs=15, rate=0.05, batch_size=50)
    second = attack.second_mark(adversary)
    other = attack.second_mark(replace(adversary, seed=adversary.seed + 1))
    assert not np.array_equal(second.images, other.images)
    images, labels = torch.tensor(second.images), torch.from_numpy(second.labels)
    made = attack.run(target, adversary)
    assert matches(target.model, images, labels) <= 9
    assert matches(made.model, images, labels) >= 15
    assert made.images == 300
    assert made.gradient_images >= 15 * 6 * 52


@pytest.mark.parametrize(
    "make",
    [
        lambda: Refit(consolidation=-1.0),
        lambda: Refit(unlabelled_share=0.0),
        lambda: Transfer(epochs=0),
        lambda: Overwriting(triggers=0),
        lambda: Overwriting(rate=0.0),
    ],
)
def test_values_out_of_range_are_refused(make: object) -> None:
    with pytest.raises(UsageError):
        make()
