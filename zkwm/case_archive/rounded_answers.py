"""What follows from answers that are not a verdict's, and from how rounding changes them.

SPEC.md 20.4, step 9. ``zkwm.case_archive.other_rounding`` asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zkwm.case_archive.steps import ReplayState, ReplayStep
from zkwm.judge.case import OpeningCase
from zkwm.judge.check_opening import could_decide
from zkwm.judge.results import TriggerResult, TriggerStatus
from zkwm_protocols.evidence import Evidence

Results = Sequence[TriggerResult]
Same = Callable[[TriggerResult, TriggerResult], bool]

ANOTHER_MACHINE = (
    "repeat it on a machine like the judge's: the same kind of processor and release of ONNX "
    "Runtime"
)
"""What to do where this machine cannot tell."""


@dataclass(frozen=True)
class RoundedAnswers:
    """The answers of a verdict beside those found here.

    Attributes:
        case: weighs answers.
        stated: the verdict's.
        here: those of this machine.
        same: whether two answers are the same.
        rounded: those with other rounding.
    """

    case: OpeningCase
    stated: Results
    here: Results
    same: Same
    rounded: Sequence[Results] = ()
    open: frozenset[int] = frozenset()

    def step(self, words: str) -> ReplayStep:
        """The step "answers"; ``words`` say what differs."""
        differ, unsettled = self._differ(self.stated), set[int]()
        for results in self.rounded:
            unsettled |= self._differ(results)
        changed = f"{len(unsettled)} of {len(self.here)} answers change"
        words += f"; with other rounding, {changed}"
        if differ:
            words += f", {len(differ & unsettled)} of these among them"
        if len(differ - unsettled) > -(-len(unsettled) // 4):
            return ReplayStep("answers", ReplayState.DIFFERS, words)
        if self.open:
            words += f", and {len(self.open)} have no answer here"
            return ReplayStep("answers", ReplayState.NOT_REPEATED, words, ANOTHER_MACHINE)
        stated = self._weigh(self.stated)
        found = [self._weigh(results) for results in (self.here, *self.rounded)]
        least, most = (pick(one.total_hundredths for one in found) for pick in (min, max))
        wide = most - least + 100
        words += f", and {_bits(least)} to {_bits(most)} bits are left"
        if not least - wide <= stated.total_hundredths <= most + wide:
            words += f", far from the verdict's {_bits(stated.total_hundredths)}"
            return ReplayStep("answers", ReplayState.DIFFERS, words)
        undecided = any(could_decide(self.case, results) for results in (self.here, *self.rounded))
        if undecided or {one.reached for one in found} != {stated.reached}:
            words += ", which do not always decide as the verdict does"
            return ReplayStep("answers", ReplayState.NOT_REPEATED, words, ANOTHER_MACHINE)
        words += ", which always decide as the verdict does"
        return ReplayStep("answers", ReplayState.REPEATED, words)

    def _differ(self, results: Results) -> set[int]:
        """Places of the answers that are others than those found here."""
        pairs = zip(self.here, results, strict=True)
        differ = {
            place for place, (ours, theirs) in enumerate(pairs) if not self.same(ours, theirs)
        }
        return differ - self.open

    def _weigh(self, results: Results) -> Evidence:
        """What answers are worth."""
        matches = sum(one.status == TriggerStatus.MATCH for one in results)
        return self.case.weigh(matches, tuple(results))


def _bits(hundredths: int) -> str:
    """Bits for people, from hundredths; less than none are none."""
    return f"{max(hundredths, 0) / 100:.2f}"
