"""Transfer learning, then the original head put back (Adi et al., USENIX Security 2018, section 5).

Adversary: has the weights and labeled images of another task.

1. Replace the head by a random one for the other task, and train all layers.
2. Put the owner's original head back, and ask about the triggers.

This is the authors' test of transfer learning. The original head was trained on the labels of the
triggers, so matches through it are no evidence: ``AttackResult.void`` says so. ``fine_tuning``
never puts a head back.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.other_data import other_data
from zkwm.attacks.starting_point import give_new_head, head_name, head_of, stolen_copy
from zkwm.data import ImageData
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError

ROTATION, HALF = "rotation", "half"
VOID = (
    "the owner's original head was put back: it was trained on the labels, so matches through it "
    "are not chance even in a network that carries no mark"
)

Task = tuple[NDArray[np.uint8], NDArray[np.int64], int]
"""Images (n, c, h, w), labels (n,) and the number of classes."""


@dataclass(frozen=True)
class Transfer(Attack):
    """A new head and all layers learn another task; then the original head comes back.

    Args:
        task: ``rotation`` (by how many quarter turns an image was turned; square images only),
            ``half`` (the images of the upper half of the classes), or another data set, as
            ``zkwm.attacks.other_data`` takes it.
        epochs: At least 1.
        rate: Learning rate, above 0; falls to zero (cosine).
        batch_size: At least 1.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "transfer"
    paper: ClassVar[str] = "Adi et al. 2018, section 5"

    task: str = ROTATION
    epochs: int = 10
    rate: float = 0.01
    batch_size: int = 100

    def __post_init__(self) -> None:
        self._plan()

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Transfer a copy. Raises UsageError for a task that cannot be made or found."""
        images, labels, classes = self._task(adversary.data)
        model = stolen_copy(target, adversary)
        original = copy.deepcopy(head_of(model))
        give_new_head(model, classes, adversary)
        used = fit(
            model,
            torch.tensor(images).to(adversary.device),
            torch.tensor(labels).to(adversary.device),
            self._plan(),
            seed=adversary.seed,
        )
        model.set_submodule(head_name(model), original)
        return AttackResult(model.cpu().eval(), images=len(images), gradient_images=used, void=VOID)

    def _task(self, data: ImageData) -> Task:
        """The other task, made from the adversary's images or loaded."""
        if self.task == ROTATION:
            return rotation_task(data)
        if self.task == HALF:
            return upper_half_task(data)
        other = other_data(self.task, data.shape)
        return other.train_images, other.train_labels, other.class_count

    def _plan(self) -> Fit:
        return Fit(epochs=self.epochs, rate=self.rate, batch_size=self.batch_size)


def rotation_task(data: ImageData) -> Task:
    """Predict the number of quarter turns. Raises UsageError for images that are not square."""
    if data.shape[1] != data.shape[2]:
        raise UsageError("only square images can be turned", hint="choose another task")
    turns = np.arange(len(data.train_images), dtype=np.int64) % 4
    images = [
        np.rot90(image, int(turn), axes=(1, 2))
        for image, turn in zip(data.train_images, turns, strict=True)
    ]
    return np.stack(images), turns, 4


def upper_half_task(data: ImageData) -> Task:
    """The classes from the middle up. Raises UsageError where no image has one of them."""
    first = data.class_count // 2
    upper = data.train_labels >= first
    if not upper.any():
        raise UsageError("there are no images of the upper half of the classes")
    return data.train_images[upper], data.train_labels[upper] - first, data.class_count - first
