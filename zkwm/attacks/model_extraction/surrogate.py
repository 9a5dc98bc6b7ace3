"""A new network that learns from a watermarked one's answers: for distillation and extraction.

Not those attacks: where the answers come from is their business.
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


def train_surrogate(
    architecture: str,
    images: NDArray[np.uint8],
    answers: Tensor,
    class_count: int,
    plan: Fit,
    adversary: Adversary,
) -> tuple[Classifier, int]:
    """A network of random weights, by the adversary's seed, trained to give these answers.

    ``images`` uint8 (n, c, h, w); ``answers`` int64 (n,), or float32 (n, C) probabilities. Returns
    it, on the CPU, and over how many images gradients were computed. Raises UsageError for an
    architecture that does not exist or cannot take such images.
    """
    channels, height, width = images.shape[1:]
    mean, std = channel_statistics(images)
    student = build_model(
        architecture,
        shape=(channels, height, width),
        class_count=class_count,
        mean=mean,
        std=std,
        seed=derived_seed(adversary.seed, "attack/student"),
    ).to(adversary.device)
    used = fit(
        student,
        torch.tensor(images).to(adversary.device),
        answers.to(adversary.device),
        plan,
        seed=adversary.seed,
    )
    student.cpu().eval()
    return student, used
