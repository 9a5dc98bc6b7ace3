"""What every suspect offers, and what one answer is.

An answer is the index of the largest output over ALL outputs; mapping outputs to the classes of
a commitment is the judge's business, not done here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import SuspectUnusable, UsageError
from zkwm_protocols.ranks import MOST_OUTPUTS
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity

CHECK = "suspect.answers"
MAXIMUM_OUTPUTS = 1_000_000

TIMED_OUT = "timed out"
NOT_FINITE = "not finite"
CRASHED = "crashed"
OUT_OF_MEMORY = "out of memory"
NOT_ASKED = "not asked: the time for all images ran out"

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (images answered so far, images in all)."""


@dataclass(frozen=True)
class Answer:
    """One answer: ``output`` is the arg-max, or None and ``problem`` says why there is none.

    ``scores`` float64 (outputs,) where the suspect gives them, for at most 1,000 outputs.
    """

    output: int | None
    problem: str = ""
    scores: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if (self.output is None) != bool(self.problem):
            raise ValueError("an answer has an output or a problem, never both")


class Suspect(Protocol):
    """A model that can be asked. Open one with ``zkwm.suspects.open_suspect``."""

    @property
    def identity(self) -> SuspectIdentity:
        """What a challenge pins."""

    @property
    def remote(self) -> bool:
        """True if images leave this machine, so that they should be hidden among decoys."""

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Raise SuspectUnusable if the suspect cannot be fed this way. Asks nothing."""

    def answer(
        self,
        images: NDArray[np.uint8],
        preprocessing: Preprocessing,
        *,
        progress: Progress | None = None,
    ) -> tuple[Answer, ...]:
        """Ask every image (n, c, h, w) uint8 in the order given, each on its own.

        An image without a usable answer yields an Answer with a problem. Raises UsageError for
        images of another shape or type, SuspectUnusable for a preprocessing it cannot take.
        """

    def close(self) -> None:
        """Let go of processes and connections. Safe to call twice."""


def answer_from_scores(scores: NDArray[np.float64], outputs: int) -> Answer:
    """The arg-max of one row of scores (k,) float64; the first index wins a tie.

    A row that is not ``outputs`` long or holds NaN or an infinity has no answer.
    """
    if scores.shape != (outputs,):
        return Answer(None, f"{scores.size} outputs instead of {outputs}")
    if not np.isfinite(scores).all():
        return Answer(None, NOT_FINITE)
    kept = scores.copy() if outputs <= MOST_OUTPUTS else None
    return Answer(int(np.argmax(scores)), scores=kept)


def require_images(images: NDArray[np.uint8], shape: tuple[int, int, int]) -> None:
    """Raise UsageError unless ``images`` is uint8 of shape (n, *shape)."""
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise UsageError("images are a uint8 array")
    if images.ndim != 4 or images.shape[1:] != shape:
        raise UsageError(f"images have the shape (n, {', '.join(map(str, shape))})")


def grey_image(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The image (1, c, h, w) that a suspect is asked on opening: every pixel 128."""
    return np.full((1, *shape), 128, np.uint8)


def require_outputs(found: int, wanted: int | None) -> int:
    """The number of outputs. Raises SuspectUnusable if it is not ``wanted``, or is impossible."""
    if not 2 <= found <= MAXIMUM_OUTPUTS:
        raise SuspectUnusable(
            f"the suspect gives {found} outputs, a classifier has 2 to {MAXIMUM_OUTPUTS:,}",
            hint="export the model so that it returns one score for each class",
            check=CHECK,
        )
    if wanted is not None and found != wanted:
        raise SuspectUnusable(
            f"the suspect gives {found} outputs, not {wanted}",
            hint="say the number of outputs that it has, or none to have it counted",
            check=CHECK,
        )
    return found


def printable(text: str, limit: int) -> str:
    """Untrusted ``text`` on one line: printable characters only, cut to ``limit``."""
    clean = "".join(character if character.isprintable() else " " for character in text[:10_000])
    return " ".join(clean.split())[:limit]
