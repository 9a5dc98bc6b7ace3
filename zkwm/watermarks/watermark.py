"""What every watermark offers: commit, embed, extract, and evidence that is exact.

A watermark is a way to choose what is committed and to train it in; the commitment, the labels and
the evidence are the same for all (SPEC.md 5, 8 and 19). Where a mark lives in the answers, a leaf
commits to a trigger image and its label is one of C classes. Where it lives in the weights,
activations or soft answers, a leaf commits to a secret key, its label is one of two, and asking the
model is extracting one bit under that key. Not a removal attack (``zkwm.attacks``), and not a
judge (``zkwm.judge.judge``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zkwm.extraction.reader import BLACK_BOX, JudgeView, MarkReader
from zkwm.nn.inference import logits, predictions
from zkwm_protocols.errors import UsageError
from zkwm_protocols.evidence import Evidence, Policy, assess

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
NO_ANSWER = -1


@dataclass(frozen=True)
class Owner:
    """Who marks a model: a vault, training data, and how the model is trained.

    ``settings`` are those of the training that would make the unmarked model; schemes change in
    them what their paper demands. ``start`` is a trained, unmarked model, for schemes (or settings)
    that mark afterwards; its digest is what a commitment names as the owner's model.
    """

    vault: Vault
    data: ImageData
    architecture: str
    settings: EmbedSettings
    start: Classifier | None = None

    def untrained(self) -> Classifier:
        """The network with random weights by ``settings.seed``."""
        from zkwm.nn.architectures import build_model, channel_statistics

        mean, std = channel_statistics(self.data.train_images)
        return build_model(
            self.architecture,
            shape=self.data.shape,
            class_count=self.data.class_count,
            mean=mean,
            std=std,
            seed=self.settings.seed,
        )

    def trained_start(self) -> Classifier:
        """``start``. Raises UsageError where there is none."""
        if self.start is None:
            raise UsageError(
                "this watermark is put into a trained model, and none was given",
                hint="train an unmarked model first, and give it as the start",
            )
        return self.start


@dataclass(frozen=True)
class Marked:
    """What an owner has after marking: the model and, where he serves one, his prediction API.

    ``api`` is None where the API gives the model's own softmax. ``seconds`` of training.
    """

    model: Classifier
    seconds: float
    api: Api | None = None

    def answers(self) -> Api:
        """The prediction service as others see it."""
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
    """One scheme with its parameters; frozen, and equal parameters mean the same scheme."""

    name: ClassVar[str]
    access: ClassVar[str] = BLACK_BOX
    paper: ClassVar[str]
    judged: ClassVar[tuple[str, ...]] = ()
    """The parameters that the bits depend on: those of ``reader()``."""

    @property
    def labels(self) -> str:
        """``derived`` from the commitment, or ``declared`` by the owner (no evidence in bits)."""
        return DERIVED

    @property
    def note(self) -> str:
        """What a judge must know about this scheme's null hypothesis; empty if it is exact."""
        return ""

    @abstractmethod
    def commit(self, owner: Owner) -> Commitment:
        """Draw what is secret from the vault's seed and commit to it (SPEC.md 5)."""

    @abstractmethod
    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Train the mark in. Raises UsageError for an owner who lacks what the scheme needs."""

    def reader(self) -> MarkReader:
        """The reader of this mark: by default the suspect's answers to the trigger images."""
        return AnswerReader()

    def scores(self, model: nn.Module, leaves: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """The suspect's scores of all classes for each image, float64 (n, C), for SPEC.md 8.4.

        None where a bit is extracted instead, and there are no classes to rank.
        """
        if self.access != BLACK_BOX:
            return None
        found = [logits(model, batch) for batch in torch.split(torch.tensor(leaves), 500)]
        return torch.cat(found).double().cpu().numpy()

    def logged(self, marked: Marked) -> TriggerSet | None:
        """What an API has logged while it was asked: judged then instead of the commitment.

        None where nothing is logged, or not enough for a block.
        """
        del marked
        return None

    def trigger_set(self, owner: Owner, commitment: Commitment) -> TriggerSet:
        """What was committed to, with labels (costs one Argon2id hash)."""
        from zkwm.owner.commit import trigger_set

        return trigger_set(owner.vault, commitment)


def matches(extracted: NDArray[np.int64], triggers: TriggerSet) -> int:
    """How many of the extracted values (n,) are the labels."""
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


def with_settings(owner: Owner, **changes: object) -> Owner:
    """The same owner with some settings of the training changed."""
    return replace(owner, settings=replace(owner.settings, **changes))  # type: ignore[arg-type]


@torch.no_grad()
def _probabilities(model: nn.Module, images: Tensor) -> Tensor:
    answer: Tensor = model.eval()(images).softmax(dim=1)
    return answer
