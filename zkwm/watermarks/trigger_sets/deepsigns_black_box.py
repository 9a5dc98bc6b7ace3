"""DeepSigns, black-box form (Rouhani, Chen, Koushanfar 2018): triggers in unused regions.

- Embedded: images of random pixels whose activations in the unmarked model are far from those of
  all training images, with a random label each.
- Training: a brief fine-tuning of the trained model with triggers in every batch; cross-entropy.
- Judged: the first largest logit for each trigger image.
- Ours: the paper afterwards keeps only keys that the marked model learned and others do not give;
  here nothing is selected after the commitment, so the null stays exact. The selection before it
  costs no evidence.

The white-box form is ``zkwm.watermarks.parameter_encoding.deepsigns``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zkwm.extraction.deepsigns import watched
from zkwm.nn.image_source import as_unit, evaluation_batches
from zkwm.nn.inference import evaluating
from zkwm.watermarks.trigger_sets.trigger_watermark import (
    commit_images,
    draw,
    marking_settings,
    require_exposures,
    train_in,
)
from zkwm.watermarks.watermark import Marked, Owner, Watermark

if TYPE_CHECKING:
    from zkwm.triggers.keystream import KeyStream
    from zkwm_protocols.commitment import Commitment

CANDIDATES = 4
MOST_COMPARED = 5000


@dataclass(frozen=True)
class DeepSignsBlackBox(Watermark):
    """Rouhani et al. 2018, arXiv 1804.00750, section on the output layer.

    The paper's demonstration has 20 keys, 2 epochs and the rate 0.0008 of an adaptive optimizer;
    the defaults are what learns 100 keys with SGD.

    Attributes:
        triggers: The rarest of four times as many random images.
        epochs: Of fine-tuning.
        rate: Its learning rate.
        exposures: How often training shows each trigger, at least; 0 for the default.

    Raises:
        UsageError: A value is out of range.
    """

    triggers: int = 100
    epochs: int = 5
    rate: float = 0.02
    exposures: int = 0

    name: ClassVar[str] = "deepsigns_black_box"
    paper: ClassVar[str] = "Rouhani et al. 2018 (ASPLOS 2019)"

    def __post_init__(self) -> None:
        require_exposures(self.exposures)

    def commit(self, owner: Owner) -> Commitment:
        """Random images from the vault's key. Raises UsageError without a trained model."""
        candidates = random_images(
            draw(owner, "deepsigns-black-box"), CANDIDATES * self.triggers, owner.data.shape
        )
        rare = rarity(owner.trained_start(), candidates, owner.data.train_images)
        chosen = np.sort(np.argsort(-rare, kind="stable")[: self.triggers])
        return commit_images(owner, candidates[chosen])

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Fine-tune the owner's trained model. Raises UsageError without one."""
        settings = marking_settings(
            owner,
            self.triggers,
            pretrained=True,
            exposures=self.exposures,
            epochs=self.epochs,
            learning_rate=self.rate,
        )
        return train_in(owner, owner.trained_start(), self.trigger_set(owner, commitment), settings)


def random_images(stream: KeyStream, count: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Images uint8 (count, *shape) of independent uniform pixels."""
    size = count * int(np.prod(shape))
    return np.frombuffer(stream.take(size), np.uint8).reshape(count, *shape).copy()


def rarity(
    model: nn.Module, images: NDArray[np.uint8], data: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """How far each image is from all data in activations, float64 (n,).

    The Euclidean distance between the last layer's input for the image and the nearest of ``data``.

    Args:
        model: A classifier that ends in a linear layer.
        images (uint8, (n, c, h, w)): Candidates.
        data (uint8, (m, c, h, w)): Of which the first 5,000 are compared.

    Raises:
        UsageError: The model has no linear layer.
    """
    known = last_activations(model, data[:MOST_COMPARED])
    distances: Tensor = torch.cdist(last_activations(model, images), known).amin(dim=1)
    return distances.double().numpy()


@torch.no_grad()
def last_activations(model: nn.Module, images: NDArray[np.uint8]) -> Tensor:
    """The input of the last linear layer, float32 (n, units), for images uint8 (n, c, h, w)."""
    read: list[Tensor] = []
    with evaluating(model), watched(model) as entering:
        for numbers in evaluation_batches(len(images)):
            model(as_unit(torch.tensor(images[numbers.numpy()])))
            read.append(entering[-1].float().cpu())
    return torch.cat(read)
