"""Low-rank tuning: the rank of what changes, what stays, and how the network looks afterwards."""

from __future__ import annotations

import pytest
import torch

from zkwm.attacks.attack import Adversary, Target
from zkwm.attacks.model_modification.low_rank_tuning import LowRankTuning
from zkwm.attacks.starting_point import weight_layers
from zkwm.nn.architectures import build_model
from zkwm_protocols.errors import UsageError


@pytest.mark.parametrize("rank", [1, 3])
def test_each_update_has_the_rank(rank: int, target: Target, adversary: Adversary) -> None:
    made = LowRankTuning(rank=rank, epochs=2, rate=0.01).run(target, adversary)
    assert (made.images, made.gradient_images) == (300, 600)
    for old, new in zip(weight_layers(target.model), weight_layers(made.model), strict=True):
        change = (new.weight - old.weight).detach().flatten(1).double()
        values = torch.linalg.svdvals(change)
        assert int((values > 1e-4 * values[0]).sum()) == rank
        assert old.bias is not None
        assert new.bias is not None
        assert torch.equal(new.bias, old.bias)


def test_the_merged_network_looks_as_before(adversary: Adversary) -> None:
    model = build_model("resnet8", shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.3,))
    made = LowRankTuning(rank=64, epochs=1, share=0.4, rate=0.01).run(
        Target(model.eval(), model), adversary
    )
    after, before = made.model.state_dict(), model.state_dict()
    assert list(after) == list(before)
    assert type(made.model) is type(model)
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    layers = [layer.weight for layer in weight_layers(model)]
    weights = {name for name, value in model.named_parameters() if any(value is w for w in layers)}
    assert changed == weights  # neither batch norms nor their statistics
    assert all(parameter.requires_grad for parameter in made.model.parameters())


@pytest.mark.parametrize(
    "parameters", [{"rank": 0}, {"alpha": 0.0}, {"rate": 0.0}, {"epochs": 0}, {"share": 0.0}]
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        LowRankTuning(**parameters)
