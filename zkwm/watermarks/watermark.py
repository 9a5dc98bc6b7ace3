"""The interface of all watermarks: commit, embed, read, and exact evidence.

A scheme chooses what is committed to and how it is embedded; commitment, labels and evidence are
the same for all (SPEC.md 5, 8 and 19). If the mark is in the answers, a leaf commits to a trigger
image, and its label is one of C classes. If it is in weights, activations or soft answers, a leaf
commits to a secret key, its label is a bit, and the judge reads one bit of the suspect for each key
(``zkwm.extraction``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zkwm.extraction.reader import BLACK_BOX, JudgeView, MarkReader
from zkwm.nn.inference import logits, predictions
from zkwm_protocols.errors import UsageError
from zkwm_protocols.evidence import Evidence, assess
from zkwm_protocols.policy import Policy

if TYPE_CHECKING:
    from zkwm.data import ImageData
    from zkwm.nn.architectures import Classifier
    from zkwm.owner.vault import Vault
    from zkwm.training import EmbedSettings
    from zkwm.triggers import TriggerSet
    from zkwm_protocols.commitment import Commitment

Api: TypeAlias = Callable[[Tensor], Tensor]
"""An owner's prediction service: images float32 (n, c, h, w) in [0, 1] to probabilities (n, C)."""

DERIVED, DECLARED = "derived", "declared"
"""Labels that follow from the commitment, and labels that the owner chose (SPEC.md 5.4)."""


@dataclass(frozen=True)
class Owner:
    """An owner who marks a model.

    Attributes:
        vault: Secrets are drawn from it, and commitments are kept in it.
        data: The training and test images.
        architecture: Of the model that is marked.
        settings: Those of the training of an unmarked model; a scheme changes what its paper
            demands.
        start: A trained, unmarked model, for schemes that mark one. The commitment names its
            digest as the owner's model.
        class_names: The names of the classes that a commitment to triggers fixes (SPEC.md 5.2).
        timestamp_authority: How a commitment names the authority of its labels' beacon (SPEC.md
            22.2), 32 bytes; None where labels follow from the commitment alone.
    """

    vault: Vault
    data: ImageData
    architecture: str
    settings: EmbedSettings
    start: Classifier | None = None
    class_names: tuple[str, ...] | None = None
    timestamp_authority: bytes | None = None

    def untrained(self) -> Classifier:
        """The network with random weights that follow from ``settings.seed``."""
        from zkwm.nn.architectures import build_model, channel_statistics

        mean, std = channel_statistics(self.data.train_images)
        return build_model(
            self.architecture,
            shape=self.data.shape,
            class_count=self.data.class_count,
            mean=mean,
            std=std,
            seed=self.settings.seed,
            images=self.data.train_images,
        )

    def trained_start(self) -> Classifier:
        """The trained, unmarked model. Raises UsageError where there is none."""
        if self.start is None:
            raise UsageError(
                "this watermark is put into a trained model, and none was given",
                hint="train an unmarked model first, and give it as the start",
            )
        return self.start


@dataclass(frozen=True)
class Marked:
    """A marked model.

    Attributes:
        model: On the CPU, in evaluation mode.
        seconds: Training time.
        api: The prediction service that carries the mark; None where the mark is in the model.
        exposures: How often training showed each trigger, on average; None without triggers.
    """

    model: Classifier
    seconds: float
    api: Api | None = None
    exposures: float | None = None

    def answers(self) -> Api:
        """The prediction service as clients see it: ``api``, else the model's softmax."""
        return self.api or (lambda images: _probabilities(self.model, images))


@dataclass(frozen=True)
class AnswerReader(MarkReader):
    """Reads a mark in the answers: the class that the suspect gives for each trigger image."""

    name: ClassVar[str] = "answers"
    access: ClassVar[str] = BLACK_BOX

    def extract(
        self, model: nn.Module, leaves: NDArray[np.uint8], view: JudgeView
    ) -> NDArray[np.int64]:
        """The classes, int64 (n,), for images uint8 (n, c, h, w); ``view`` is not needed."""
        del view
        return predictions(model, torch.tensor(leaves)).cpu().numpy()


@dataclass(frozen=True)
class Watermark(ABC):
    """A scheme with its parameters."""

    name: ClassVar[str]
    access: ClassVar[str] = BLACK_BOX
    paper: ClassVar[str]
    judged: ClassVar[tuple[str, ...]] = ()
    """The parameters that the bits depend on: those of ``reader()``."""

    @property
    def labels(self) -> str:
        """``derived`` from the commitment, or ``declared`` by the owner: no evidence in bits."""
        return DERIVED

    @property
    def note(self) -> str:
        """Why the null hypothesis is not exact; empty if it is."""
        return ""

    @abstractmethod
    def commit(self, owner: Owner) -> Commitment:
        """Draw secrets from the vault's seed and commit to them (SPEC.md 5)."""

    @abstractmethod
    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Embed the mark. Raises UsageError if the owner lacks what the scheme needs."""

    def reader(self) -> MarkReader:
        """The reader of this mark: by default the suspect's answers to the trigger images."""
        return AnswerReader()

    def scores(self, model: nn.Module, leaves: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """The suspect's logits, float64 (n, C), for images uint8 (n, c, h, w) (SPEC.md 8.4).

        None for schemes whose mark is read as bits: there are no classes to rank.
        """
        if self.access != BLACK_BOX:
            return None
        found = [logits(model, batch) for batch in torch.split(torch.tensor(leaves), 500)]
        return torch.cat(found).double().cpu().numpy()

    def logged(self, marked: Marked) -> TriggerSet | None:
        """The queries that an API has logged, judged instead of the commitment.

        None where nothing is logged, or less than a block.
        """
        del marked
        return None

    def trigger_set(self, owner: Owner, commitment: Commitment) -> TriggerSet:
        """The committed images or keys with their labels; costs one Argon2id hash."""
        from zkwm.owner.commit import trigger_set

        return trigger_set(owner.vault, commitment)


def matches(extracted: NDArray[np.int64], triggers: TriggerSet) -> int:
    """How many of the extracted values, int64 (n,), equal the labels."""
    return int((extracted == triggers.labels).sum())


def evidence(match_count: int, triggers: TriggerSet, policy: Policy | None = None) -> Evidence:
    """The evidence when every block is opened (SPEC.md 8.2), under a judge's usual policy."""
    blocks = len(triggers.labels) // triggers.block_size
    return assess(
        match_count,
        blocks_used=blocks,
        block_count=blocks,
        block_size=triggers.block_size,
        class_count=triggers.class_count,
        policy=policy or Policy(),
    )


@torch.no_grad()
def _probabilities(model: nn.Module, images: Tensor) -> Tensor:
    """The probabilities (n, C) of images float32 (n, c, h, w)."""
    answer: Tensor = model.eval()(images).softmax(dim=1)
    return answer
