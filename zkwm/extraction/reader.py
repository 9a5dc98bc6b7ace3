"""What reads a mark from a suspect, and what a judge has beside it (SPEC.md 19.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

    from zkwm.nn.architectures import Classifier


BLACK_BOX, WHITE_BOX, SOFT_ANSWERS = "black-box", "white-box", "soft answers"


@dataclass(frozen=True)
class JudgeView:
    """What a judge has beside the suspect, fixed before any label was known.

    ``reference`` is the unmarked model whose digest the commitment names: a suspect's neurons are
    aligned with it, None where the commitment names none. ``probes`` uint8 (m, c, h, w) are public
    images that the judge chose, on which activations or soft answers are taken.
    """

    reference: Classifier | None = None
    probes: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 1, 1, 1), np.uint8))


class Scheme(Protocol):
    """What a key's tag names: a scheme, and the parameters that its bits depend on."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    name: ClassVar[str]
    judged: ClassVar[tuple[str, ...]]


@dataclass(frozen=True)
class MarkReader(ABC):
    """How the bits of one scheme are read; its fields are the judged parameters."""

    name: ClassVar[str]
    access: ClassVar[str]
    judged: ClassVar[tuple[str, ...]] = ()
    needs_probes: ClassVar[bool] = False

    @abstractmethod
    def extract(
        self, model: nn.Module, leaves: NDArray[np.uint8], view: JudgeView
    ) -> NDArray[np.int64]:
        """One bit for each key, int64 (n,), -1 for nothing. Raises UsageError, see the scheme."""
