from __future__ import annotations

import numpy as np
import pytest
import torch

from zkwm.nn.architecture_names import ARCHITECTURES
from zkwm.nn.architectures import build_model, channel_statistics
from zkwm.nn.digests import model_digest
from zkwm_protocols.errors import UsageError

STATISTICS = {1: {"mean": (0.3,), "std": (0.4,)}, 3: {"mean": (0.5,) * 3, "std": (0.2,) * 3}}


@pytest.mark.parametrize(
    ("architecture", "shape", "parameters"),
    [
        ("lenet5", (1, 28, 28), 61_706),
        ("lenet5", (3, 32, 32), 83_126),
        ("dense", (1, 28, 28), 669_706),
        ("cnn2", (1, 28, 28), 412_522),
        ("cnn3", (1, 28, 28), 130_890),
        ("cnn", (3, 32, 32), 2_168_362),
        ("cnn", (1, 28, 28), 1_676_266),
        ("resnet8", (3, 32, 32), 78_042),
        ("resnet18", (3, 32, 32), 11_173_962),
        ("airbench", (3, 32, 32), 4_606_530),
    ],
)
def test_number_of_parameters(
    architecture: str, shape: tuple[int, int, int], parameters: int
) -> None:
    model = build_model(architecture, shape=shape, class_count=10, **STATISTICS[shape[0]])
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 48), (3, 37, 29)])
def test_logits_for_any_shape(architecture: str, shape: tuple[int, int, int]) -> None:
    model = build_model(architecture, shape=shape, class_count=7, **STATISTICS[shape[0]]).eval()
    assert model(torch.rand(2, *shape)).shape == (2, 7)


def test_weights_depend_on_the_seed_alone() -> None:
    def built(seed: int) -> bytes:
        return model_digest(
            build_model(
                "lenet5", shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.4,), seed=seed
            )
        )

    state = torch.get_rng_state()
    first = built(1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    assert built(1) == first
    assert built(2) != first


def test_normalization_is_inside() -> None:
    model = build_model("lenet5", shape=(1, 28, 28), class_count=10, mean=(0.25,), std=(0.5,))
    images = torch.rand(3, 1, 28, 28)
    assert torch.equal(model(images), model.features((images - 0.25) / 0.5))


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "vgg"},
        {"shape": (2, 28, 28)},
        {"shape": (1, 11, 28)},
        {"shape": (1, 28, 5000)},
        {"class_count": 1},
        {"class_count": 70_000},
        {"mean": (0.1, 0.2)},
        {"std": (0.0,)},
        {"std": (float("nan"),)},
        {"mean": (float("inf"),)},
    ],
)
def test_what_cannot_be_built_is_refused(changes: dict[str, object]) -> None:
    arguments = {
        "architecture": "lenet5",
        "shape": (1, 28, 28),
        "class_count": 10,
        "mean": (0.3,),
        "std": (0.3,),
    } | changes
    with pytest.raises(UsageError):
        build_model(arguments.pop("architecture"), **arguments)


def test_channel_statistics() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 9, 11), dtype=np.uint8)
    images[:, 2] = 51
    mean, std = channel_statistics(images)
    assert mean == tuple((images / 255).mean(axis=(0, 2, 3)).round(4))
    assert std[:2] == tuple((images / 255).std(axis=(0, 2, 3)).round(4)[:2])
    assert (mean[2], std[2]) == (0.2, 1.0)
