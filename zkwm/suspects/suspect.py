"""The type of all suspects, and of one answer.

A new kind of suspect (an endpoint adapter, for example) is a subclass of ``Suspect`` with an
``identity``, ``check_preprocessing`` and ``answer``. The base class refuses everything else, so
that a subclass that forgets something is refused, never believed. An answer is the index of the
largest output over ALL outputs; the judge maps outputs to the classes of a commitment.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.commitment import Header
from zkwm_protocols.errors import SuspectUnusable, Unsupported, UsageError
from zkwm_protocols.ranks import MOST_OUTPUTS
from zkwm_protocols.suspect_identity import EXTRACTION, Preprocessing, SuspectIdentity

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


@dataclass(frozen=True)
class QueryRecord:
    """One image that was sent to a remote suspect.

    ``image_digest`` is SHA-256 of its pixels (32 bytes); ``attempts`` were made, in ``seconds``.
    """

    image_digest: bytes
    answer: Answer
    attempts: int
    seconds: float


class Suspect(ABC):
    """A model that can be queried. Open one with ``zkwm.suspects.open_suspect``."""

    identity: SuspectIdentity
    """What a challenge pins."""

    remote: bool = False
    """True if images leave this machine, so that they should be hidden among decoys."""

    @property
    def records(self) -> tuple[QueryRecord, ...]:
        """Every image sent so far, in order; empty for a suspect that is not remote."""
        return ()

    def network_file(self) -> Path:
        """The ONNX file whose network a zero-knowledge argument is about (SPEC.md 16.4).

        Raises Unsupported (check ``challenge.network``) for a suspect without such a file.
        """
        raise no_network_file(self.identity.kind)

    def check_committed(self, header: Header) -> None:
        """Check that everything the suspect's answers depend on was fixed before the labels.

        Answers to images depend on the suspect alone, so there is nothing to check. Bits of a mark
        depend on a reference too: a suspect of kind ``extraction`` that cannot say its reference
        raises Unsupported (check ``challenge.suspect``).
        """
        if self.identity.kind == EXTRACTION:
            raise Unsupported("only zkwm's own extraction can be judged", check="challenge.suspect")

    @abstractmethod
    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Raise SuspectUnusable if the suspect cannot take such an input. Queries nothing."""

    @abstractmethod
    def answer(
        self,
        images: NDArray[np.uint8],
        preprocessing: Preprocessing,
        *,
        progress: Progress | None = None,
    ) -> tuple[Answer, ...]:
        """Query every image, in the order given and each on its own.

        Args:
            images (uint8, (n, c, h, w)): the images.
            preprocessing: how pixels become the suspect's input.
            progress: called after each image.

        Returns one answer per image; an image without a usable answer yields an Answer with a
        problem. Raises UsageError for images of another shape or type, SuspectUnusable for a
        preprocessing that the suspect cannot take.
        """

    def close(self) -> None:  # noqa: B027  (most suspects hold nothing)
        """Release processes and connections. Safe to call twice."""


def no_network_file(kind: str) -> Unsupported:
    """The error (check ``challenge.network``) for a kind of suspect without a network file."""
    if kind == EXTRACTION:
        return Unsupported(
            "zero knowledge is not possible about marks that are extracted from weights or "
            "activations",
            hint="ask for an opening (--reveal)",
            check="challenge.network",
        )
    return Unsupported(
        "zero knowledge is possible about a network in an ONNX file only",
        hint="export the model to ONNX, or ask for an opening",
        check="challenge.network",
    )


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
