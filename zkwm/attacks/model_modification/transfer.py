"""Transfer to another task, and the owner's original head put back (Adi et al. 2018, section 5).

Their test of transfer learning: the features are trained for another task under a new head, and
then the triggers are asked through the old head. That head was trained on the labels, so matches of
the result are no evidence: ``AttackResult.void`` says so. ``fine_tuning`` never puts a head back.
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
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError

ROTATION, HALF = "rotation", "half"
VOID = (
    "the owner's original head was put back: it was trained on the labels, so matches through it "
    "are not chance even in a network that carries no mark"
)


@dataclass(frozen=True)
class Transfer(Attack):
    """A new head and all layers learn ``task``; then the original head comes back.

    ``task`` is another data set, as ``zkwm.attacks.other_data`` takes it; ``rotation``, by how many
    quarter turns an image of the adversary's was turned (square images only); or ``half``, the
    adversary's images of the upper half of the classes. The learning rate falls from ``rate`` to
    zero. Raises UsageError for values out of range.
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
        images, labels, classes = self._task(adversary)
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

    def _task(self, adversary: Adversary) -> tuple[NDArray[np.uint8], NDArray[np.int64], int]:
        """Images, labels and the number of classes of the other task."""
        own = adversary.data
        if self.task == ROTATION:
            if own.shape[1] != own.shape[2]:
                raise UsageError("only square images can be turned", hint="choose another task")
            turns = np.arange(len(own.train_images), dtype=np.int64) % 4
            turned = [
                np.rot90(image, int(turn), axes=(1, 2))
                for image, turn in zip(own.train_images, turns, strict=True)
            ]
            return np.stack(turned), turns, 4
        if self.task == HALF:
            first = own.class_count // 2
            chosen = own.train_labels >= first
            if not chosen.any():
                raise UsageError("there are no images of the upper half of the classes")
            return (
                own.train_images[chosen],
                own.train_labels[chosen] - first,
                own.class_count - first,
            )
        other = other_data(self.task, own.shape)
        return other.train_images, other.train_labels, other.class_count

    def _plan(self) -> Fit:
        return Fit(epochs=self.epochs, rate=self.rate, batch_size=self.batch_size)
