"""Ask a suspect the images of a comparison while its integer network is made.

Images and answers depend on nonce and file alone, so that nobody has to wait with them. They count
in their turn (``network_agreement``), after the network was found to be the challenge's; where
something fails, or is too large, all is done in its turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from math import prod

import numpy as np
from numpy.typing import NDArray

from zkwm.early import Early
from zkwm.quantizer.network_agreement import GIVEN, Asked, drawn_count, drawn_sets
from zkwm.quantizer.quantizer_process import (
    QuantizerProcess,
    quantizer_memory,
    quantizer_started,
)
from zkwm.suspects.suspect import Answer, Suspect
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.suspect_identity import Preprocessing, SuspectKind

MOST_VALUES = 1 << 13
"""Values of an image that is asked early: drawing larger ones takes seconds, perhaps in vain."""
MOST_IMAGES = 1 << 13
"""Images of the judge's own that are asked early."""


class StoppedError(Exception):
    """The answers are not wanted any more."""


class EarlyQuestions:
    """What ``asked_meanwhile`` began; ``taken`` gives it to ``measure_agreement``."""

    def __init__(
        self,
        suspect: Suspect,
        preprocessing: Preprocessing,
        nonce: bytes,
        images: NDArray[np.uint8] | None,
    ) -> None:
        self._suspect = suspect
        self._preprocessing = preprocessing
        self._nonce = nonce
        self._images = images
        self._stopped = False
        self._drawn: Early[dict[str, NDArray[np.uint8]]] | None = None
        self._asked: Early[tuple[Answer, ...]] | None = None
        if self._small():
            self._drawn = Early(self._draw)
            self._asked = Early(self._ask)

    def taken(self) -> Asked | None:
        """The sets, and the answers to come; None where sets have to be made in their turn."""
        if self._drawn is None:
            return None
        try:
            return Asked(self._drawn.result(), self.answers)
        except Exception:
            return None

    def answers(self) -> tuple[Answer, ...] | None:
        """Those to all images, in order; None where they have to be asked for in their turn."""
        if self._asked is None:
            return None
        try:
            return self._asked.result()
        except Exception:
            return None

    def stop(self) -> None:
        """Ask no more; return when the suspect is left alone."""
        self._stopped = True
        self.answers()

    def _small(self) -> bool:
        """Whether it is a file, with images of which many are drawn and asked in a second."""
        identity, images = self._suspect.identity, self._images
        return (
            identity.kind == SuspectKind.ONNX
            and not self._suspect.remote
            and prod(identity.shape) <= MOST_VALUES
            and (images is None or images.shape[1:] == identity.shape)
            and (images is None or 0 < len(images) <= MOST_IMAGES)
        )

    def _draw(self) -> dict[str, NDArray[np.uint8]]:
        """Draw the sets."""
        identity = self._suspect.identity
        sets = drawn_sets(identity.shape, self._nonce, identity.digest)
        return sets if self._images is None else sets | {GIVEN: self._images}

    def _ask(self) -> tuple[Answer, ...]:
        """Ask the sets. Raises StoppedError after ``stop``, and what ``answer`` raises."""
        if self._drawn is None:
            raise StoppedError
        sets = self._drawn.result()
        self._go_on()
        return self._suspect.answer(
            np.concatenate(list(sets.values())), self._preprocessing, progress=self._go_on
        )

    def _go_on(self, *_: int) -> None:
        """Raise StoppedError after ``stop``."""
        if self._stopped:
            raise StoppedError


@contextmanager
def quantizer_for(
    suspect: Suspect, images: NDArray[np.uint8] | None
) -> Iterator[QuantizerProcess | None]:
    """The process that quantizes a suspect's file and compares it, started for the block.

    Its memory is that of a comparison, which takes ``images`` of the judge's too, so that for large
    ones quantizing takes another. None for a suspect that is no file.
    """
    shape = suspect.identity.shape
    try:
        size = suspect.network_file().stat().st_size
    except (ZkwmError, OSError):
        yield None
        return
    pixels = (drawn_count(shape) + (0 if images is None else len(images))) * prod(shape)
    process = QuantizerProcess(quantizer_memory(size, pixels))
    with quantizer_started(size, pixels), closing(process):
        yield process


@contextmanager
def asked_meanwhile(
    suspect: Suspect,
    preprocessing: Preprocessing,
    *,
    nonce: bytes,
    images: NDArray[np.uint8] | None = None,
) -> Iterator[EarlyQuestions]:
    """Ask during the block, in a thread; where the block fails, the suspect is left alone.

    Takes what ``measure_agreement`` takes, whose ``asked`` the yielded value has ``taken``.
    """
    early = EarlyQuestions(suspect, preprocessing, nonce, images)
    try:
        yield early
    except BaseException:
        early.stop()
        raise
