"""Frontier stitching (Le Merrer, Perez, Tredan 2017): adversarial images with their true label.

- Embedded: adversarial images near the decision frontier of the unmarked model, half
  that fool it (true adversaries) and half that do not (false adversaries).
- Training: the trained model is fine-tuned with them in every batch, under their original labels;
  cross-entropy.
- Judged: the first largest logit for each image.

With the paper's labels, which are declared, the null is weak (``LeMerrer.note``); with derived
labels the same images are a trigger set like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    require_exposures,
    require_label_mode,
    train_in,
    usable,
)
from zkwm.watermarks.watermark import DECLARED, DERIVED, Marked, Owner, Watermark
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.triggers.keystream import KeyStream
    from zkwm_protocols.commitment import Commitment

_CHUNK = 500


@dataclass(frozen=True)
class LeMerrer(Watermark):
    """Le Merrer et al. 2017, arXiv 1711.01894.

    Attributes:
        triggers: An even number, half true and half false adversaries.
        epsilon: Step of the fast gradient sign method on the owner's trained model, in units of
            pixel / 255; above 0.
        labels: ``declared``: the labels of the original images, as in the paper; or ``derived``.
        exposures: How often training shows each trigger, at least; 0 for the default.

    Raises:
        UsageError: A value is out of range.
    """

    triggers: int = 100
    epsilon: float = 0.25
    labels: str = DECLARED
    exposures: int = 0

    name: ClassVar[str] = "le_merrer"
    paper: ClassVar[str] = "Le Merrer et al. 2017 (Neural Computing and Applications 2020)"

    def __post_init__(self) -> None:
        require_label_mode(self.labels)
        require_exposures(self.exposures)
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
        """Commit to adversarial images of training images that the vault's key chooses.

        Raises UsageError without a trained model, and where there are too few of either kind.
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
        """Fine-tune the owner's trained model. Raises UsageError without one."""
        settings = marking_settings(owner, self.triggers, pretrained=True, exposures=self.exposures)
        return train_in(owner, owner.trained_start(), self.trigger_set(owner, commitment), settings)


def frontier(
    model: nn.Module,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    count: int,
    epsilon: float,
    stream: KeyStream,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Find adversarial images, half of which fool the model and half of which do not.

    Images are tried in an order from the key; those that the model already gets wrong are skipped.
    The two kinds alternate, so that each block has both.

    Args:
        model: The owner's trained model.
        images (uint8, (n, c, h, w)): Originals.
        labels (int64, (n,)): Their labels.
        count: How many to find, an even number.
        epsilon: Step of the fast gradient sign method, in units of pixel / 255.
        stream: The key's random numbers.

    Returns:
        Images uint8 (count, c, h, w) and the labels of their originals, int64 (count,).

    Raises:
        UsageError: There are too few of either kind.
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
    """Move each pixel by epsilon against the label (Goodfellow et al. 2015, section 4).

    Args:
        model: A classifier.
        images (uint8, (n, c, h, w)): Originals.
        labels (int64, (n,)): Their labels.
        epsilon: In units of pixel / 255.

    Returns:
        Images uint8 (n, c, h, w).
    """
    moving = (images.float() / 255).requires_grad_()
    with evaluating(model):
        loss = functional.cross_entropy(model(moving), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, moving)
    moved = (moving.detach() + epsilon * gradient.sign()).clamp(0, 1)
    return (255 * moved).round().to(torch.uint8)
