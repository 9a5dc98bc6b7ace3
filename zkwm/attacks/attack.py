"""What every attack offers: a suspect in, a suspect out, and what that cost.

An attack gets what an adversary has (``Adversary``) and what he attacks (``Target``), and never a
secret of the owner, except where ``opened`` gives him one opened block. Not a measurement: how much
of the mark and of the accuracy is left is measured by ``zkwm.evaluation``. Attacks of an accuser,
who claims a model that is not his, are in ``claim``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

if TYPE_CHECKING:
    from zkwm.data import ImageData
    from zkwm.nn.architectures import Classifier
    from zkwm.triggers import TriggerSet
    from zkwm.watermarks.watermark import Api

WEIGHTS, ANSWERS = "weights", "answers"


@dataclass(frozen=True)
class Target:
    """The marked model as an adversary meets it.

    ``model`` has the stolen weights (attacks must not change it: they copy), ``api`` is the owner's
    prediction service, all that an adversary without the weights has. ``opened`` is one block of
    triggers that the owner has opened earlier, for attacks that use it; None if nothing is known.
    """

    model: Classifier
    api: Api
    opened: TriggerSet | None = None


@dataclass(frozen=True)
class Adversary:
    """Who attacks: his own labelled data, disjoint from the owner's, and his luck.

    ``data.train_images`` are all his training images; the test images serve to measure accuracy
    and may not be trained on.
    """

    data: ImageData
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True)
class AttackResult:
    """What comes out: a model that turns images float32 (n, c, h, w) in [0, 1] into logits.

    ``images`` is how many of the adversary's images were used (without their labels by distillation
    and extraction), ``queries`` how many questions the owner's API was asked, ``gradient_images``
    over how many images gradients were computed in all (an image counts as often as it is used):
    the adversary's compute. ``void`` says why matches of this model are no evidence (the original
    head was put back), empty otherwise.
    """

    model: nn.Module
    images: int = 0
    queries: int = 0
    gradient_images: int = 0
    void: str = ""


@dataclass(frozen=True)
class Attack(ABC):
    """One attack with its parameters."""

    name: ClassVar[str]
    paper: ClassVar[str]
    needs: ClassVar[str] = WEIGHTS

    @property
    def uses_opened(self) -> bool:
        """Whether it reads ``Target.opened``; that block is then left out of the evidence."""
        return False

    @abstractmethod
    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Carry it out. Depends on the arguments alone (``adversary.seed`` for all that is random).

        Raises UsageError for a target that it cannot be used on.
        """


def generator(adversary: Adversary, purpose: str) -> torch.Generator:
    """A CPU generator for one purpose of this adversary."""
    from zkwm.nn.seeds import generator as make

    return make(adversary.seed, f"attack/{purpose}")
