"""The whitening layer of ``airbench``, and what of the network learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from zkwm.nn.airbench import whiten
from zkwm.nn.architectures import Classifier, build_model, channel_statistics

SHAPE = (3, 12, 9)


def smooth_images(count: int) -> np.ndarray:
    """Images whose neighboring pixels and channels are alike."""
    random = np.random.default_rng(4)
    coarse = torch.tensor(random.random((count, 3, 4, 3)))
    coarse[:, 1:] = 0.7 * coarse[:, :1] + 0.3 * coarse[:, 1:]
    fine = functional.interpolate(coarse, SHAPE[1:], mode="bilinear")
    noisy = 230 * fine.numpy() + 20 * random.random((count, *SHAPE))
    return noisy.astype(np.uint8)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkwm.nn.airbench.WIDTHS", (4, 6, 8))


def built(images: np.ndarray | None = None, seed: int = 0) -> Classifier:
    mean, std = channel_statistics(smooth_images(40))
    return build_model(
        "airbench", shape=SHAPE, class_count=5, mean=mean, std=std, seed=seed, images=images
    )


@pytest.mark.usefixtures("narrow")
def test_patches_of_training_images_are_white_behind_the_first_layer() -> None:
    images = smooth_images(300)
    model = built(images)
    normalized = model.normalize(torch.tensor(images).float() / 255)
    answers = model.features[0](normalized).detach().transpose(0, 1).flatten(1)
    half = len(answers) // 2
    torch.testing.assert_close(answers[half:], -answers[:half])
    # directions of little variance stay below 1: a small number is added to the eigenvalues
    found = answers[:half] @ answers[:half].T / answers.shape[1]
    assert float((found - torch.diag(found.diag())).abs().max()) < 0.01
    assert bool(((found.diag() > 0.5) & (found.diag() < 1.01)).all())


@pytest.mark.usefixtures("narrow")
def test_the_whitening_layer_follows_from_the_images_and_nothing_else_does() -> None:
    images = smooth_images(60)
    one, same, other = built(images), built(images), built(images[30:])
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, same.state_dict()[name])
        if name not in ("features.0.weight", "features.0.bias"):
            assert torch.equal(tensor, other.state_dict()[name])
            assert name == "features.0.bias" or torch.equal(tensor, built().state_dict()[name])
    assert not torch.equal(one.features[0].weight, other.features[0].weight)


@pytest.mark.usefixtures("narrow")
def test_equal_pixels_give_finite_filters() -> None:
    model = built()
    whiten(
        model.features[0],
        np.zeros((3, *SHAPE), np.uint8),
        model.normalize.mean,
        model.normalize.std,
    )
    assert bool(torch.isfinite(model.features[0].weight).all())


@pytest.mark.usefixtures("narrow")
def test_the_first_filters_of_a_block_pass_a_channel_on() -> None:
    weight = built().features[9].weight
    center = torch.zeros(3, 3)
    center[1, 1] = 1
    assert all(torch.equal(weight[i, i], center) for i in range(4))


@pytest.mark.usefixtures("narrow")
def test_whitening_and_the_scales_of_batch_norm_do_not_learn() -> None:
    model = built()
    frozen = {name for name, tensor in model.named_parameters() if not tensor.requires_grad}
    norms = {n for n, module in model.named_modules() if isinstance(module, torch.nn.BatchNorm2d)}
    assert len(norms) == 6
    assert frozen == {"features.0.weight", *(f"{name}.weight" for name in norms)}
