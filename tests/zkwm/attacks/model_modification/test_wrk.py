"""WRK: a suspicious stamp or adversarial images, and forgetting."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from zkwm.attacks import make_attack
from zkwm.attacks.attack import Adversary, AttackResult, Target
from zkwm.attacks.model_modification.trigger_inversion import RecoveredTriggers
from zkwm.attacks.model_modification.wrk import Wrk, adversarial_images, suspect_class
from zkwm.nn.inference import predictions
from zkwm.nn.seeds import generator
from zkwm.triggers import TriggerSet
from zkwm_protocols.errors import UsageError


class Corner(nn.Module):
    """Gives class 2 to images whose first pixel is white, else class 0, of five."""

    def forward(self, images: Tensor) -> Tensor:
        white = images[:, 0, 0, 0] > 0.9
        return nn.functional.one_hot(torch.where(white, 2, 0), 5).float()


def stamps(sizes: list[int]) -> RecoveredTriggers:
    """White stamps of so many pixels, from the first one on."""
    masks = torch.stack([(torch.arange(64) < size).float() for size in sizes])
    return RecoveredTriggers(masks.reshape(-1, 1, 8, 8), torch.ones(len(sizes), 1, 8, 8))


@pytest.mark.parametrize(
    ("sizes", "anomaly", "found"),
    [
        ([30, 34, 1, 36, 40], 1.0, 2),
        ([30, 34, 31, 36, 40], 1.0, None),  # not unusually small: the deviation is 4.4
        ([30, 34, 25, 36, 40], 9.0, None),
        ([30, 1, 40, 36, 34], 1.0, None),  # its stamp does not give class 1
    ],
)
def test_a_small_stamp_that_works_names_its_class(
    sizes: list[int], anomaly: float, found: int | None
) -> None:
    model = Corner()
    assert suspect_class(model, torch.zeros(9, 1, 8, 8), stamps(sizes), anomaly) == found


def test_adversarial_images_are_near_and_get_other_classes(
    target: Target, adversary: Adversary
) -> None:
    images = torch.tensor(adversary.data.train_images[:200]).float() / 255
    labels = torch.tensor(adversary.data.train_labels[:200])
    made, given = adversarial_images(target.model, images, labels, 0.15, generator(1, "test"))
    assert float((made - images).abs().max()) <= 0.1501
    assert float(made.min()) >= 0
    assert float(made.max()) <= 1
    assert not bool((given == labels).any())
    assert set(given.tolist()) == set(range(10))
    before, after = predictions(target.model, images), predictions(target.model, made)
    assert int((after != before).sum()) >= 60


def test_the_mark_is_weakened(target: Target, adversary: Adversary, triggers: TriggerSet) -> None:
    made: AttackResult = Wrk(steps=20, anomaly=100, rate=0.05, tuning_epochs=5).run(
        target, adversary
    )
    left = predictions(made.model, torch.tensor(triggers.images)).numpy() == triggers.labels
    assert left.sum() <= 30
    searched = 20 * 10 * 10 + 60
    assert made.gradient_images == searched + 20 * (360 // 128) * 128 + 5 * (300 // 64) * 64


@pytest.mark.parametrize(
    "parameters",
    [{"steps": 0}, {"anomaly": -1.0}, {"size": 0.0}, {"rate": 0.0}, {"epochs": 0},
     {"tuning_rate": -1.0}, {"tuning_epochs": 0}],
)  # fmt: skip
def test_values_out_of_range_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        make_attack("wrk", **parameters)
