"""Whether answers that differ from a verdict's are within the reach of rounding (SPEC.md 20.4).

A processor adds up in its own order, and a network may be built so that the last bits decide. So a
suspect that answers otherwise is asked again, with pixels that differ in their last bits: what then
changes, too, is nothing that a judge could have known better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal

from zkwm.case_archive.steps import ReplayState, ReplayStep
from zkwm.judge.case import OpeningCase
from zkwm.judge.ledger import JudgeLedger
from zkwm.judge.query import Asking, question
from zkwm.judge.results import TriggerResult, TriggerStatus
from zkwm.suspects import Suspect
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.evidence import Evidence
from zkwm_protocols.opening import CheckedTrigger
from zkwm_protocols.suspect_identity import Preprocessing

Results = Sequence[TriggerResult]
Same = Callable[[TriggerResult, TriggerResult], bool]

_MOVES = (1, -1, 2, -2, 3, -3, 4)
_LAST_BIT = Decimal("0.0000001")
"""About the last bit of a float32, as a share."""
_FINEST = Decimal("0.000000000001")
"""Of a decimal number in a preprocessing."""


def ask_here(suspect: Suspect, case: OpeningCase, triggers: tuple[CheckedTrigger, ...]) -> Results:
    """What the suspect answers on this machine; ``case`` has the preprocessing.

    Raises what asking it raises.
    """
    challenge = case.challenge
    suspect.check_preprocessing(challenge.preprocessing)
    asking = Asking(JudgeLedger(), lambda _: bytes(32))
    return question(suspect, challenge, triggers, asking)[0]


def rounded_cases(suspect: Suspect, case: OpeningCase) -> list[OpeningCase]:
    """The case with a preprocessing that moves the last bits of pixels, for seven such moves.

    Raises what ``rounded_preprocessings`` raises.
    """
    moved = rounded_preprocessings(suspect, case.challenge)
    return [replace(case, challenge=replace(case.challenge, preprocessing=one)) for one in moved]


def rounded_preprocessings(suspect: Suspect, challenge: Challenge) -> list[Preprocessing]:
    """The challenge's preprocessing with other last bits of pixels, for seven such moves.

    Raises Malformed or SuspectUnusable where the suspect cannot be asked so: an input of whole
    numbers and keys of a mark have no such bits, and mean and std are for 1 or 3 channels.
    """
    moved = [_moved(challenge.preprocessing, challenge.suspect.shape[0], move) for move in _MOVES]
    for one in moved:
        suspect.check_preprocessing(one)
    return moved


def _moved(preprocessing: Preprocessing, channels: int, move: int) -> Preprocessing:
    """The preprocessing with each std longer by some last bits."""
    mean = preprocessing.mean or ("0",) * channels
    std = []
    for text in preprocessing.std or ("1",) * channels:
        longer = Decimal(text) * (1 + move * _LAST_BIT)
        std.append(f"{longer.quantize(_FINEST, ROUND_HALF_EVEN):f}")
    return replace(preprocessing, mean=mean, std=tuple(std))


@dataclass(frozen=True)
class RoundedAnswers:
    """The answers of a verdict beside those found here.

    Attributes:
        case: weighs answers.
        stated: the verdict's.
        here: those of this machine.
        same: whether two answers are the same.
        rounded: those where the last bits of pixels differ.
    """

    case: OpeningCase
    stated: Results
    here: Results
    same: Same
    rounded: Sequence[Results] = ()

    def step(self, words: str) -> ReplayStep:
        """The step "answers"; ``words`` say what differs."""
        differ, unsettled = self._differ(self.stated), set[int]()
        for results in self.rounded:
            unsettled |= self._differ(results)
        changed = f"{len(unsettled)} of {len(self.here)} answers change"
        words += f"; where the last bits of pixels differ, {changed}"
        if differ:
            words += f", {len(differ & unsettled)} of these among them"
        if len(differ - unsettled) > -(-len(unsettled) // 4):
            return ReplayStep("answers", ReplayState.DIFFERS, words)
        stated = self._weigh(self.stated)
        found = [self._weigh(results) for results in (self.here, *self.rounded)]
        least, most = (pick(one.total_hundredths for one in found) for pick in (min, max))
        wide = most - least + 100
        words += f", and {_bits(least)} to {_bits(most)} bits are left"
        if not least - wide <= stated.total_hundredths <= most + wide:
            words += f", far from the verdict's {_bits(stated.total_hundredths)}"
            return ReplayStep("answers", ReplayState.DIFFERS, words)
        if {one.reached for one in found} != {stated.reached}:
            words += ", which do not always decide as the verdict does"
            return ReplayStep("answers", ReplayState.NOT_REPEATED, words)
        words += ", which always decide as the verdict does"
        return ReplayStep("answers", ReplayState.REPEATED, words)

    def _differ(self, results: Results) -> set[int]:
        """Places of the answers that are others than those found here."""
        pairs = zip(self.here, results, strict=True)
        return {place for place, (ours, theirs) in enumerate(pairs) if not self.same(ours, theirs)}

    def _weigh(self, results: Results) -> Evidence:
        """What answers are worth."""
        matches = sum(one.status == TriggerStatus.MATCH for one in results)
        return self.case.weigh(matches, tuple(results))


def _bits(hundredths: int) -> str:
    """Bits for people, from hundredths; less than none are none."""
    return f"{max(hundredths, 0) / 100:.2f}"
