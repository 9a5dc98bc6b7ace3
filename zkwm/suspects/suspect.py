"""The type of all suspects, and of one answer.

A new kind of suspect (an endpoint adapter, for example) is a subclass of ``Suspect`` with an
``identity``, ``check_preprocessing`` and ``answer``. The base class refuses everything else, so
that a subclass that forgets something is refused, never believed. An answer is the index of the
largest output over ALL outputs; the judge maps outputs to the classes of a commitment.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.commitment import Header
from zkwm_protocols.errors import InvalidOpening, SuspectUnusable, Unsupported, UsageError
from zkwm_protocols.ranks import MOST_OUTPUTS
from zkwm_protocols.relearning import MOST_STEPS
from zkwm_protocols.suspect_identity import Account, Preprocessing, SuspectIdentity, SuspectKind

CHECK = "suspect.answers"
MAXIMUM_OUTPUTS = 1_000_000

# Problems of answers: they stand in verdicts and records, which others read by program.
TIMED_OUT = "timed out"
NOT_FINITE = "not finite"
CRASHED = "crashed"
NOT_ASKED = "not asked: the time for all images ran out"
NO_MEMORY = "out of memory"
OF_THE_MACHINE = (TIMED_OUT, CRASHED, NOT_ASKED, NO_MEMORY)
"""Problems that a faster or larger machine may not have."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (number of images answered, number of all images)."""


@dataclass(frozen=True)
class Answer:
    """The answer to one image.

    Attributes:
        output: the index of the largest output, or None where there is no usable answer.
        problem: why there is none; empty where there is an output.
        scores (float64, (outputs,)): where the suspect gives them, for at most 1,000 outputs.
    """

    output: int | None
    problem: str = ""
    scores: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if (self.output is None) != bool(self.problem):
            raise ValueError("an answer has an output or a problem, not both")


@dataclass(frozen=True)
class QueryRecord:
    """One image that was sent to a remote suspect, for the record of a verdict.

    Attributes:
        image_digest: SHA-256 of its pixels, 32 bytes.
        preprocessing: how it was sent.
        answer: the answer that counts.
        attempts: how often it was sent.
        seconds: the time that all attempts took.
    """

    image_digest: bytes
    preprocessing: Preprocessing
    answer: Answer
    attempts: int
    seconds: float


@dataclass(frozen=True)
class SuspectFile:
    """A file of a suspect as it was read: its name, SHA-256 of its bytes (32 bytes), their number.

    For the record of a verdict; a challenge pins a suspect by its identity (SPEC.md 4.3).
    """

    name: str
    digest: bytes
    size: int

    @classmethod
    def of(cls, name: str, data: bytes) -> SuspectFile:
        """The file with these bytes."""
        return cls(name, hashlib.sha256(data).digest(), len(data))


class Suspect(ABC):
    """A model that can be queried. Open one with ``zkwm.suspects.open_suspect``."""

    identity: SuspectIdentity
    """The digest, shape and number of outputs that a challenge pins."""

    output_names: tuple[str, ...] | None = None
    """What it calls its outputs, where its answers may be read by these names."""

    reads_names: bool = False
    """True where answers may be read by names of outputs, which a challenge then fixes."""

    remote: bool = False
    """True if images leave this machine, so that they should be hidden among decoys."""

    files: tuple[SuspectFile, ...] = ()
    """Every file that it was read from; none for an endpoint."""

    gradient_seconds: float | None = None
    """Seconds of one image's gradient in the last round of ``relearn``; None before a second."""

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
        if self.identity.kind == SuspectKind.EXTRACTION:
            raise Unsupported("only zkwm's own extraction can be judged", check="challenge.suspect")

    def check_account(self, account: Account | None) -> None:
        """Raise InvalidOpening (``challenge.suspect``) unless it is asked with this account."""
        if account != self.identity.account:
            raise InvalidOpening(
                "the account at hand is not the challenge's",
                check="challenge.suspect",
            )

    def check_output_names(self, names: tuple[str, ...] | None) -> None:
        """Check that answers are read by the names of outputs that a challenge has.

        Raises InvalidOpening (``challenge.suspect``) where they are read by others.
        """
        if self.reads_names and self.output_names != names:
            raise InvalidOpening(
                "the suspect's answers are read by other names of outputs than the challenge has",
                hint="open the suspect with the names of the challenge",
                check="challenge.suspect",
            )

    def draw_probes(self, nonce: bytes) -> None:  # noqa: B027  (most suspects need none)
        """Draw what else is asked beside the images, by the nonce of a challenge, 32 bytes.

        Called before ``answer``. Probes of a mark that is extracted are drawn so (SPEC.md 19.3).
        """

    @abstractmethod
    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Raise SuspectUnusable if the suspect cannot take such an input. Queries nothing."""

    def try_out(self, preprocessing: Preprocessing) -> tuple[Answer, ...]:
        """Ask a few images before a challenge goes out, as it will ask (SPEC.md 6.1).

        Returns their answers: none for a suspect of which there is nothing to find out.

        Raises SuspectUnusable (check ``suspect.answers``) where the answers cannot be those of a
        classifier: none, scores that do not depend on the image, or sorted scores.
        """
        return ()

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

    def relearn(
        self,
        images: NDArray[np.uint8],
        labels: Sequence[int],
        rounds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
        preprocessing: Preprocessing,
        class_map: Sequence[int],
        *,
        progress: Progress | None = None,
        most_steps: int = MOST_STEPS,
    ) -> list[list[NDArray[np.float64]]]:
        """In each round learners of each form learn some triggers, and are asked others.

        Args:
            images (uint8, (n, c, h, w)): the triggers.
            labels: theirs; a round knows those that it learns (SPEC.md 8.7).
            rounds: which are learned in each round, and which are asked then.
            preprocessing: how pixels become the suspect's input.
            class_map: the output that stands for each class.
            progress: called after each round, with those done and those in all.
            most_steps: of each round; fewer try whether it can be trained, and for how long.

        Returns for each form (``zkwm_protocols.relearning.Form``) and round the scores of those
        asked, float64 (m, C), NaN where training diverged. Raises Unsupported
        (``challenge.suspect``) for a suspect whose weights cannot be trained here.
        """
        raise Unsupported(
            "only weights of a built-in architecture can be trained here to see what they remember",
            hint="challenge its folder of model.safetensors and config.json; without it ask for "
            "scores, ranks or matches (`statistic`)",
            check="challenge.suspect",
        )

    def __enter__(self) -> Self:
        """``with zkwm.open_suspect(...) as suspect`` closes it, whatever happens."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027  (most suspects hold nothing)
        """Release processes and connections. Safe to call twice."""


def no_network_file(kind: str) -> Unsupported:
    """The error (check ``challenge.network``) for a kind of suspect without a network file."""
    if kind == SuspectKind.EXTRACTION:
        return Unsupported(
            "zero knowledge is not possible about marks that are extracted from weights or "
            "activations",
            hint="ask for an opening (`Judge.challenge`)",
            check="challenge.network",
        )
    return Unsupported(
        "zero knowledge is possible about a network in an ONNX file only",
        hint="export the model to ONNX, or ask for an opening",
        check="challenge.network",
    )


def answer_from_scores(scores: NDArray[np.float64], outputs: int) -> Answer:
    """The argmax of one row of scores float64 (k,); the first index wins a tie.

    There is no answer where k is not ``outputs`` or a score is NaN or infinite.
    """
    if scores.shape != (outputs,):
        return Answer(None, f"{scores.size} outputs instead of {outputs}")
    if not np.isfinite(scores).all():
        return Answer(None, NOT_FINITE)
    kept = scores.copy() if outputs <= MOST_OUTPUTS else None
    return Answer(int(np.argmax(scores)), scores=kept)


def answer_from_label(label: int, outputs: int) -> Answer:
    """The answer of a suspect that gives a label, without scores, which is one of its outputs."""
    if not 0 <= label < outputs:
        return Answer(None, f"its label is not in 0 to {outputs - 1}")
    return Answer(label)


def require_images(images: NDArray[np.uint8], shape: tuple[int, int, int]) -> None:
    """Raise UsageError unless ``images`` is uint8 of shape (n, *shape)."""
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise UsageError("images are an array of uint8")
    if images.ndim != 4 or images.shape[1:] != shape:
        raise UsageError(
            f"expected images of shape (n, {', '.join(map(str, shape))}), got {images.shape}"
        )


def gray_image(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The image uint8 (1, c, h, w) that counts a suspect's outputs: every pixel is 128."""
    return np.full((1, *shape), 128, np.uint8)


def require_outputs(count: int, expected: int | None) -> int:
    """Return the number of outputs, ``count``.

    Raises SuspectUnusable (check ``suspect.answers``) where it is not ``expected``, or is
    not that of a classifier.
    """
    if not 2 <= count <= MAXIMUM_OUTPUTS:
        raise SuspectUnusable(
            f"the suspect gives {count} outputs, a classifier has 2 to {MAXIMUM_OUTPUTS:,}",
            hint="export the model so that it returns one score for each class",
            check=CHECK,
        )
    if expected is not None and count != expected:
        raise SuspectUnusable(
            f"the suspect gives {count} outputs, not {expected}",
            hint="give the number of outputs that it has, or leave it out to have them counted",
            check=CHECK,
        )
    return count


def hint_of_shape(shape: tuple[int, int, int]) -> str:
    """What to do about a model that takes other images than a commitment's, of ``shape``."""
    if shape == (1, 1, 32):
        return (
            "where the commitment is to the keys of a mark, name its scheme (`extraction`), "
            "and the unmarked model if it names one (`reference`)"
        )
    return "this commitment cannot be checked against a model of other images"
