"""Le Merrer et al. 2017, frontier stitching: adversarial images that keep their true label.

Half of the keys fool the unmarked model (true adversaries), half nearly do (false adversaries); the
model is then trained to give all of them their original label. Its null is weak, which ``note``
says. With derived labels the same images become a trigger set like others.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn.inference import evaluating, predictions
from zkwm.watermarks.trigger_sets.trigger_watermark import (
    commit_images,
    draw,
    marking_settings,
    require_label_mode,
    train_in,
    usable,
)
from zkwm.watermarks.watermark import DECLARED, DERIVED, Marked, Owner, Watermark
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.triggers.keystream import KeyStream
    from zkwm_protocols.commitment import Commitment

SIGNIFICANCE = (1, 20)
_CHUNK = 500


@dataclass(frozen=True)
class LeMerrer(Watermark):
    """``triggers`` adversarial images at ``epsilon``, half true and half false adversaries.

    ``epsilon`` (in units of pixel / 255, above 0) is the step of the fast gradient sign method on
    the owner's trained model. ``labels`` ``declared``: the true labels of the images that they were
    made from, as in the paper. Raises UsageError for an odd number of triggers.
    """

    triggers: int = 100
    epsilon: float = 0.25
    labels: str = DECLARED

    name: ClassVar[str] = "le_merrer"
    paper: ClassVar[str] = "Le Merrer et al. 2017 (Neural Computing and Applications 2020)"

    def __post_init__(self) -> None:
        require_label_mode(self.labels)
        if self.triggers % 2 or not self.epsilon > 0:
            raise UsageError("frontier stitching takes an even number of keys and an epsilon > 0")

    @property
    def note(self) -> str:
        """Why the paper's null does not hold; empty for derived labels."""
        if self.labels == DERIVED:
            return ""
        return (
            "The labels are the true ones of the images under the perturbation: a network without "
            "any mark that classifies well, above all one trained against adversarial images, "
            "gives most of them too. The paper's null, agreement by a fair coin for each key, is "
            "false, and no number of matches is evidence."
        )

    def commit(self, owner: Owner) -> Commitment:
        """Adversarial images of training images that the vault's key chooses.

        Raises UsageError without a trained model, and where its data give too few of either kind.
        """
        images, labels = frontier(
            owner.trained_start(),
            owner.data.train_images,
            owner.data.train_labels,
            self.triggers,
            self.epsilon,
            draw(owner, "le-merrer-2017"),
        )
        return commit_images(owner, images, labels if self.labels == DECLARED else None)

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Train on from the owner's trained model. Raises UsageError without one."""
        settings = marking_settings(owner, self.triggers, pretrained=True)
        return train_in(owner, owner.trained_start(), self.trigger_set(owner, commitment), settings)


def largest_mismatch_count(keys: int) -> int:
    """The paper's rule: with up to so many wrong answers of ``keys`` a model counts as marked.

    The largest z with 2^-K * sum of C(K, z') for z' <= z below 0.05. It takes innocent models for
    fair coins; they are not (see ``LeMerrer.note``). Raises UsageError for fewer than 5 keys, which
    no number of right answers makes significant.
    """
    numerator, denominator = SIGNIFICANCE
    below, total = -1, 0
    for mismatches in range(keys + 1):
        total += comb(keys, mismatches)
        if total * denominator >= numerator << keys:
            break
        below = mismatches
    if below < 0:
        raise UsageError(f"{keys} keys are too few for the rule of Le Merrer et al.")
    return below


def frontier(
    model: nn.Module,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    count: int,
    epsilon: float,
    stream: KeyStream,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """``count`` adversarial images uint8 (count, c, h, w) and their true labels int64 (count,).

    Images uint8 (n, c, h, w) are tried in an order from the key, those that the model gets wrong
    without any perturbation are passed over, until half of ``count`` fool it and half do not. The
    two kinds alternate, so that each block has both. Raises UsageError where there are too few.
    """
    order = stream.permutation(len(images))
    order = order[usable(images[order])]
    half = count // 2
    kinds: tuple[list[int], list[int]] = ([], [])
    perturbed = np.zeros_like(images)
    for numbers in np.array_split(order, -(-len(order) // _CHUNK)):
        batch, truth = torch.from_numpy(images[numbers]), torch.from_numpy(labels[numbers])
        changed = fast_gradient_sign(model, batch, truth, epsilon)
        perturbed[numbers] = changed.numpy()
        right = predictions(model, batch) == truth
        fooled = predictions(model, changed) != truth
        for kind, chosen in zip(kinds, (fooled, ~fooled), strict=True):
            kind += numbers[(right & chosen).numpy()].tolist()
        if min(map(len, kinds)) >= half:
            break
    else:
        raise UsageError(
            f"of {len(images)} images {len(kinds[0])} fool the model and {len(kinds[1])} do not; "
            f"{half} of each are needed",
            hint="give more data, or choose a smaller epsilon for more that do not",
        )
    chosen_numbers = np.array([kind[:half] for kind in kinds]).T.reshape(-1)
    return perturbed[chosen_numbers], labels[chosen_numbers]


def fast_gradient_sign(model: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Images uint8 (n, c, h, w), each pixel moved by epsilon against its label, as uint8.

    Goodfellow et al. 2015. ``epsilon`` is in units of pixel / 255; labels are int64 (n,).
    """
    moving = (images.float() / 255).requires_grad_()
    with evaluating(model):
        loss = functional.cross_entropy(model(moving), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, moving)
    moved = (moving.detach() + epsilon * gradient.sign()).clamp(0, 1)
    return (255 * moved).round().to(torch.uint8)
