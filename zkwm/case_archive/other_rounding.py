"""Ask a suspect again, and with other rounding: where answers are not a verdict's (SPEC.md 20.4).

A processor adds up in its own order, and a network may be built so that the last bits decide. So a
suspect that answers otherwise is asked seven times more, its sums added up in other orders; what
cannot be ordered so gets pixels that differ in their last bits. What then changes, too, is nothing
that a judge could have known better.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TypeVar

from zkwm.case_archive.asked_again import suspect_again
from zkwm.case_archive.documents import CaseDocuments
from zkwm.case_archive.steps import ReplayState, ReplayStep
from zkwm.suspects import OnnxLimits, Progress, Suspect
from zkwm.suspects.onnx_rewriting import MOVES, ORDERS
from zkwm.suspects.onnx_suspect import OnnxSuspect
from zkwm_protocols.errors import SuspectUnusable, ZkwmError
from zkwm_protocols.suspect_identity import Preprocessing, SuspectKind

_LAST_BIT = Decimal("0.0000001")
"""About the last bit of a float32, as a share."""
_FINEST = Decimal("0.000000000001")
"""Of a decimal number in a preprocessing."""

_LARGER_MACHINE = "repeat it on a machine that is faster, or has more memory"

ReplayProgress = Callable[[str, int, int], None]
"""Called with what is done, and with images (or rounds) done and in all."""
Found = TypeVar("Found")
Ask = Callable[[Suspect, Preprocessing, Progress], Found]
"""Asks an open suspect all images; raises what asking it raises."""


class NoOtherRoundingError(Exception):
    """Nothing in this suspect can be moved, so that it cannot be asked with other rounding."""


@dataclass(frozen=True)
class Replaying:
    """How whoever repeats a case has its suspect asked.

    Attributes:
        limits: time and memory that it may use; ``total_seconds`` are for all askings of one step.
        progress: called while it answers.
    """

    limits: OnnxLimits = field(default_factory=OnnxLimits)
    progress: ReplayProgress | None = None


class Askings:
    """The askings of one step, the first and seven others, within one limit of time.

    Args:
        documents: the case.
        location: of the suspect's file.
        replaying: limits and progress.
    """

    def __init__(self, documents: CaseDocuments, location: str, replaying: Replaying) -> None:
        self._documents = documents
        self._location = location
        self._replaying = replaying
        self._began = time.monotonic()
        self._took = self._longest = 0.0
        self._unordered: ZkwmError | None = None

    def weighed(self, step: ReplayStep) -> ReplayStep:
        """A step after the others: none differs where sums stayed in their order.

        A suspect can be as large as it likes, and its sums may decide all the same.
        """
        if self._unordered is None or step.state != ReplayState.DIFFERS:
            return step
        words = f"{step.words}; its sums were not put in another order: {self._unordered.message}"
        return ReplayStep(step.name, ReplayState.NOT_REPEATED, words, _LARGER_MACHINE)

    @property
    def nearly_late(self) -> bool:
        """Whether an image of the first asking took more than a tenth of its limit of time."""
        return self._longest > self._replaying.limits.image_seconds / 10

    def first(self, ask: Ask[Found]) -> Found:
        """What the suspect answers on this machine. Raises what opening and asking it raises."""
        preprocessing = self._documents.challenge.preprocessing
        with self._opened(0) as suspect:
            told = self._timed(self._progress("asking the suspect again"))
            found = ask(suspect, preprocessing, told)
        self._took = time.monotonic() - self._began
        return found

    def others(self, ask: Ask[Found]) -> list[Found]:
        """What it answers in each of the seven others.

        Raises NoOtherRoundingError, SuspectUnusable (``suspect.answers``) where there is no time
        for them, and what opening and asking it raises.
        """
        if self._documents.challenge.suspect.kind == SuspectKind.EXTRACTION:
            raise NoOtherRoundingError
        self._require_time()
        found = []
        for order in range(1, ORDERS + 1):
            with self._rounded(order) as (suspect, preprocessing):
                name = f"asking it with other rounding, {order} of {ORDERS}"
                found.append(ask(suspect, preprocessing, self._progress(name)))
        return found

    @contextmanager
    def _rounded(self, order: int) -> Iterator[tuple[Suspect, Preprocessing]]:
        """The suspect with other rounding, and how pixels become its input.

        One that cannot be opened in another order, for want of time or memory, is opened as it is.
        """
        preprocessing, move = self._documents.challenge.preprocessing, MOVES[order]
        refused: ZkwmError | None = None
        with ExitStack() as stack:
            try:
                suspect = stack.enter_context(self._opened(order))
            except SuspectUnusable as error:
                refused, suspect = error, stack.enter_context(self._opened(0))
                self._unordered = error
            try:
                moved = _otherwise(suspect, preprocessing, move)
            except NoOtherRoundingError:
                if refused is not None:
                    raise refused from None
                raise
            yield suspect, moved

    def _opened(self, order: int) -> AbstractContextManager[Suspect]:
        """The suspect, its sums in this order. Raises SuspectUnusable where no time is left."""
        return suspect_again(self._documents, self._location, self._limits(), order=order)

    def _left(self) -> float:
        """The seconds that are left for this step."""
        return self._replaying.limits.total_seconds - (time.monotonic() - self._began)

    def _limits(self) -> OnnxLimits:
        """The limits of one asking. Raises SuspectUnusable where no time is left."""
        if self._left() <= 0:
            raise _late("no time is left to ask it again")
        limits = self._replaying.limits
        loading = min(limits.load_seconds, self._left())
        return replace(limits, total_seconds=self._left(), load_seconds=loading)

    def _require_time(self) -> None:
        """Raise SuspectUnusable where seven askings like the first one take more than is left."""
        wanted, left = ORDERS * self._took, self._left()
        if wanted > left:
            raise _late(
                f"asking it {ORDERS} times more would take about {wanted:,.0f} seconds, and "
                f"{max(left, 0):,.0f} of {self._replaying.limits.total_seconds:,.0f} are left"
            )

    def _timed(self, told: Progress) -> Progress:
        """Progress that takes the time of each image, too."""
        last, before = time.monotonic(), 0

        def progress(done: int, count: int) -> None:
            nonlocal last, before
            now = time.monotonic()
            self._longest = max(self._longest, (now - last) / max(done - before, 1))
            last, before = now, done
            told(done, count)

        return progress

    def _progress(self, name: str) -> Progress:
        """Progress under a name."""
        told = self._replaying.progress

        def progress(done: int, count: int) -> None:
            if told is not None:
                told(name, done, count)

        return progress


def _late(reason: str) -> SuspectUnusable:
    """The error (``suspect.answers``) of a suspect for which there is not enough time."""
    return SuspectUnusable(
        reason, hint="give all askings more time (`total_seconds`)", check="suspect.answers"
    )


def _otherwise(suspect: Suspect, preprocessing: Preprocessing, move: int) -> Preprocessing:
    """The preprocessing of an asking with other rounding.

    It is the challenge's for an ONNX file of which everything is rounded otherwise already, and for
    one of which something is and whose input has no last bits. Raises NoOtherRoundingError.
    """
    reordered = suspect.reordered if isinstance(suspect, OnnxSuspect) else None
    if reordered is not None and not reordered.left:
        return preprocessing
    moved = _moved(preprocessing, suspect.identity.shape[0], move)
    try:
        suspect.check_preprocessing(moved)
    except ZkwmError:  # whole numbers, or mean and std for other than 1 or 3 channels
        if reordered is not None and reordered.moved:
            return preprocessing
        raise NoOtherRoundingError from None
    return moved


def _moved(preprocessing: Preprocessing, channels: int, move: int) -> Preprocessing:
    """The preprocessing with each std longer by some last bits."""
    mean = preprocessing.mean or ("0",) * channels
    std = []
    for text in preprocessing.std or ("1",) * channels:
        longer = Decimal(text) * (1 + move * _LAST_BIT)
        std.append(f"{longer.quantize(_FINEST, ROUND_HALF_EVEN):f}")
    return replace(preprocessing, mean=mean, std=tuple(std))
