"""Feature shift tuning: the head's norm, its turning away, and what RTAL has in common."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from zkwm.attacks.attack import Adversary, Target
from zkwm.attacks.model_modification.feature_shift_tuning import FeatureShiftTuning
from zkwm.attacks.starting_point import head_of
from zkwm.nn.architectures import build_model
from zkwm.triggers import TriggerSet
from zkwm_protocols.errors import UsageError


def heads(target: Target, attack: FeatureShiftTuning, adversary: Adversary) -> list[torch.Tensor]:
    made = attack.run(target, adversary)
    assert (made.images, made.gradient_images) == (300, attack.epochs * 256)
    return [head_of(model).weight.detach() for model in (target.model, made.model)]


def test_the_new_head_turns_away_from_the_old_one(target: Target, adversary: Adversary) -> None:
    products = []
    for alpha in (0.0, 0.1, 1.0):
        old, new = heads(target, FeatureShiftTuning(alpha, rate=0.05, epochs=6), adversary)
        torch.testing.assert_close(new.norm(), old.norm())
        products.append(float((old * new).sum() / old.norm() ** 2))
    assert products[2] < products[1] < products[0]
    assert -1 <= products[2] < -0.3


def test_a_plain_mark_is_turned_over(
    target: Target, adversary: Adversary, triggers: TriggerSet
) -> None:
    """Of 40 triggers 40 have their label before; 26 after RTAL, which leaves none to the last."""
    made = FeatureShiftTuning(alpha=1.0, rate=0.05, epochs=6).run(target, adversary)
    with torch.no_grad():
        scores = made.model(torch.tensor(triggers.images).float() / 255)
    labels = torch.tensor(triggers.labels)[:, None]
    places = (scores > scores.gather(1, labels)).sum(dim=1)
    assert int((places == 0).sum()) <= 12  # 2 were measured
    assert int((places >= 7).sum()) >= 14  # 22 were measured, where chance gives 12


def test_a_network_with_batch_norm_and_another_number_of_classes(adversary: Adversary) -> None:
    for classes in (10, 7):
        model = build_model(
            "resnet8", shape=(1, 28, 28), class_count=classes, mean=(0.3,), std=(0.3,)
        )
        few = replace(
            adversary.data,
            train_images=adversary.data.train_images[:30],
            train_labels=adversary.data.train_labels[:30],
        )
        attack = FeatureShiftTuning(epochs=1)
        if classes == 7:
            with pytest.raises(UsageError, match="7 outputs"):
                attack.run(Target(model.eval(), model), replace(adversary, data=few))
        else:
            made = attack.run(Target(model.eval(), model), replace(adversary, data=few))
            assert all(bool(value.isfinite().all()) for value in made.model.state_dict().values())


@pytest.mark.parametrize(
    "parameters", [{"alpha": -0.1}, {"rate": 0.0}, {"epochs": 0}, {"share": 0.0}]
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        FeatureShiftTuning(**parameters)
