"""The interface of a reader of marks, and the judge's inputs to it (SPEC.md 19.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

    from zkwm.nn.architectures import Classifier


NOT_FINITE = "weights of the suspect are not finite numbers, so that nothing can be read from them"
BLACK_BOX, WHITE_BOX, SOFT_ANSWERS = "black-box", "white-box", "soft answers"


@dataclass(frozen=True)
class JudgeView:
    """A judge's inputs apart from suspect and keys, fixed before any label was known.

    Attributes:
        reference: the unmarked model whose digest the commitment names, with which a suspect's
            neurons are aligned; None where the commitment names none.
        probes (uint8, (m, c, h, w)): public images, drawn by rule (``zkwm.extraction.probes``), on
            which activations or soft answers are taken.
    """

    reference: Classifier | None = None
    probes: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 1, 1, 1), np.uint8))


class Scheme(Protocol):
    """A scheme as a key's tag names it: its name and the parameters that its bits depend on."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    name: ClassVar[str]
    judged: ClassVar[tuple[str, ...]]


@dataclass(frozen=True)
class MarkReader(ABC):
    """Reads the bits of one scheme. Its fields are the parameters that the bits depend on.

    ``access`` says what is read: the answers (``BLACK_BOX``), weights or activations
    (``WHITE_BOX``), or probabilities (``SOFT_ANSWERS``). ``judged`` lists the parameters that a
    key's tag names. With ``needs_probes``, a judge without probe images must not issue a challenge:
    the owner would open keys for nothing.
    """

    name: ClassVar[str]
    access: ClassVar[str]
    judged: ClassVar[tuple[str, ...]] = ()
    needs_probes: ClassVar[bool] = False

    @abstractmethod
    def extract(
        self, model: nn.Module, leaves: NDArray[np.uint8], view: JudgeView
    ) -> NDArray[np.int64]:
        """Read one bit for each key.

        A function of its arguments alone: it cannot know labels, so that each bit of a model that
        does not depend on the commitment matches its label like a fair coin (SPEC.md 19.6).

        Args:
            model: the suspect.
            leaves (uint8, (n, 1, 1, 32)): the committed keys; images (n, c, h, w) where
                ``access`` is ``BLACK_BOX``.
            view: the reference and the probes.

        Returns int64 (n,): the bits (classes where ``access`` is ``BLACK_BOX``), -1 for nothing.
        Raises UsageError for a suspect that lacks what the scheme reads.
        """
