"""The interface of removal attacks: a marked model in, a suspect out, with the cost.

The threat model is in two types. ``Target`` is what the owner exposes: the weights, or only a
prediction service, and perhaps one opened block of triggers. ``Adversary`` is who attacks: their
images, their random seed, their device, perhaps a second stolen network. No attack gets the vault,
the key, unopened triggers or labels. False claims have an interface of their own, in
``false_claims.claim``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

if TYPE_CHECKING:
    from zkwm.data import ImageData
    from zkwm.nn.architectures import Classifier
    from zkwm.triggers import TriggerSet
    from zkwm.watermarks.watermark import Api

WEIGHTS, ANSWERS = "weights", "answers"
"""What an attack needs: the stolen weights, or only answers of the owner's service."""


@dataclass(frozen=True)
class Target:
    """The marked model as an adversary meets it.

    Args:
        model: The stolen weights. Attacks must not change it: they work on a copy.
        api: The owner's prediction service, images float32 (n, c, h, w) in [0, 1] to probabilities
            (n, C): all that an adversary without the weights has.
        opened: One block of triggers that the owner opened in an earlier case, for attacks with
            ``uses_opened``; None where nothing was opened.
    """

    model: Classifier
    api: Api
    opened: TriggerSet | None = None


@dataclass(frozen=True)
class Adversary:
    """The party that attacks: their images, randomness and device.

    Args:
        data: Their labeled images, disjoint from the owner's. They may train on ``train_images``;
            the test images serve to measure accuracy and must not be trained on.
        seed: Decides all that is random in the attack.
        device: Where torch computes.
        unlabeled (uint8, (m, c, h, w)): Further images of the task, without labels; None for none.
        scratch_images: Over how many images gradients were computed in the training from scratch
            that an attack is compared with; 0 where that is unknown.
        second_theft: A network of another owner on the same task, without this owner's mark, for
            attacks with ``uses_second_theft``; None where there is none. Never changed.
    """

    data: ImageData
    seed: int = 0
    device: str = "cpu"
    unlabeled: NDArray[np.uint8] | None = None
    scratch_images: int = 0
    second_theft: Classifier | None = None


@dataclass(frozen=True)
class AttackResult:
    """The suspect that an attack leaves, and what it cost the adversary.

    Args:
        model: Turns images float32 (n, c, h, w) in [0, 1] into logits (n, C).
        images: How many of the adversary's images were used; distillation and extraction use them
            without their labels.
        queries: How many images the owner's service was asked about.
        gradient_images: Over how many images gradients were computed, an image counted each time
            it is used: the adversary's compute.
        void: Why matches of this model are no evidence; empty where they are.
    """

    model: nn.Module
    images: int = 0
    queries: int = 0
    gradient_images: int = 0
    void: str = ""


@dataclass(frozen=True)
class Attack(ABC):
    """One removal attack; its dataclass fields are the parameters of a grid file.

    ``name`` is the name in a grid file, ``paper`` the source, ``needs`` either ``WEIGHTS`` or
    ``ANSWERS``.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    needs: ClassVar[str] = WEIGHTS

    @property
    def uses_opened(self) -> bool:
        """Whether it reads ``Target.opened``; that block is then left out of the evidence."""
        return False

    @property
    def uses_second_theft(self) -> bool:
        """Whether it reads ``Adversary.second_theft``."""
        return False

    @property
    def parts(self) -> tuple[Attack, ...]:
        """The attacks that it runs one after the other; empty unless it is a chain."""
        return ()

    @abstractmethod
    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Attack a copy of the target.

        The result depends on the arguments alone; everything random comes from ``adversary.seed``.

        Raises:
            UsageError: The attack cannot be used on this target or with these images.
        """


def adversary_generator(adversary: Adversary, purpose: str) -> torch.Generator:
    """The CPU generator of one purpose of this adversary, the same for the same seed."""
    from zkwm.nn.seeds import generator

    return generator(adversary.seed, f"attack/{purpose}")
