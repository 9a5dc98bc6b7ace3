"""Train a surrogate: a new network that learns a watermarked one's answers.

``distillation``, ``extraction`` and ``ensemble`` share it; they differ in where the answers come
from.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zkwm.attacks.attack import Adversary
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.nn.seeds import derived_seed
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError


def train_surrogate(
    architecture: str,
    images: NDArray[np.uint8],
    answers: Tensor,
    class_count: int,
    plan: Fit,
    adversary: Adversary,
) -> tuple[Classifier, int]:
    """Train a network of random weights to give these answers.

    Args:
        architecture: A built-in one.
        images (uint8, (n, c, h, w)): What was asked.
        answers (int64, (n,) or float32, (n, C)): Classes, or probabilities.
        class_count: C.
        plan: How to train.
        adversary: Their seed decides the first weights and the order of images.

    Returns:
        The network, on the CPU, and over how many images gradients were computed.

    Raises:
        UsageError: The architecture does not exist or cannot take such images.
    """
    channels, height, width = images.shape[1:]
    mean, std = channel_statistics(images)
    surrogate = build_model(
        architecture,
        shape=(channels, height, width),
        class_count=class_count,
        mean=mean,
        std=std,
        seed=derived_seed(adversary.seed, "attack/student"),
        images=images,
    ).to(adversary.device)
    used = fit(
        surrogate,
        torch.tensor(images).to(adversary.device),
        answers.to(adversary.device),
        plan,
        seed=adversary.seed,
    )
    surrogate.cpu().eval()
    return surrogate, used


def epochs_as_scratch(count: int, adversary: Adversary) -> int:
    """Epochs over ``count`` images that make a training as long as that from scratch.

    Raises UsageError where the adversary does not know how long that takes.
    """
    if not adversary.scratch_images:
        raise UsageError(
            "how long the training from scratch takes is not known here", hint="give epochs"
        )
    return max(-(-adversary.scratch_images // count), 1)
