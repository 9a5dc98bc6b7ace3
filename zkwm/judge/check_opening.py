"""A case of selective opening: unseal, check every leaf, ask the suspect, count the matches.

SPEC.md sections 6.3, 7 and 9.2. Used by ``zkwm.judge.judge`` alone; common checks and the verdict
are in ``zkwm.judge.case``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.judge.case import Case
from zkwm.judge.checks import FAILED, PASSED
from zkwm.judge.query import MATCH, NO_ANSWER, question
from zkwm.judge.verdict import TriggerResult
from zkwm.suspects import Progress, Suspect
from zkwm_protocols.errors import InvalidOpening, SuspectUnusable
from zkwm_protocols.opening import (
    VALID,
    CheckedTrigger,
    OpenedBlock,
    Opening,
    check_leaves,
    open_sealed,
)
from zkwm_protocols.ranks import RANKS
from zkwm_protocols.suspect_identity import EXTRACTION


class OpenedCase:
    """What was opened in a case; raises on construction where that cannot be read."""

    def __init__(self, case: Case) -> None:
        """The checks ``opening.*``, which need no suspect."""
        self._case = case
        commitment, opening = case.commitment, case.response
        assert isinstance(opening, Opening)  # response.challenge has seen to it
        with case.checks.group("opening.sealed", "opening.format"):
            self._blocks: tuple[OpenedBlock, ...] = open_sealed(
                commitment, case.challenge, opening, case.key.box
            )
        with case.checks.group("opening.leaves"):
            self._triggers: tuple[CheckedTrigger, ...] = check_leaves(commitment, self._blocks)
        bad = sum(trigger.status != VALID for trigger in self._triggers)
        together = case.challenge.suspect.kind == EXTRACTION
        if bad and (together or case.challenge.statistic == RANKS):
            with case.checks.group("opening.leaves"):
                raise InvalidOpening(
                    f"{bad} of {len(self._triggers)} triggers are missing or wrong, and all are "
                    f"needed where {'a mark is extracted' if together else 'ranks are counted'}",
                    hint="an owner who knows the labels could change the answers to some triggers "
                    "by leaving out others",
                    check="opening.leaves",
                )
        case.checks.set(
            "opening.leaves",
            FAILED if bad else PASSED,
            f"{bad} of {len(self._triggers)} missing or wrong, each counted as a miss"
            if bad
            else f"{len(self._triggers)} of {len(self._triggers)}",
        )
        case.check_labels("opening.labels")

    def ask(
        self, suspect: Suspect, decoys: NDArray[np.uint8] | None, progress: Progress | None
    ) -> None:
        """Ask the suspect every opened trigger once, among decoys where it is remote."""
        case = self._case
        sealed = [decoy for block in self._blocks for decoy in block.decoys]
        if sealed:
            decoys = np.stack(sealed)
        elif decoys is None:
            decoys = np.zeros((0, *case.challenge.suspect.shape), dtype=np.uint8)
        with case.checks.group("suspect.answers"):
            case.results = question(
                suspect, case.challenge, self._triggers, decoys, progress=progress
            )
            case.record = _record_of(suspect)
            _weigh(case)


def _weigh(case: Case) -> None:
    """Count matches. Raises SuspectUnusable where missing answers could change the verdict."""
    matches = sum(result.status == MATCH for result in case.results)
    unanswered = [result for result in case.results if result.status == NO_ANSWER]
    evidence = case.weigh(matches)
    if evidence.rank_sum is None:
        needed, found, each = evidence.needed_matches, matches, 1
        state = f"{matches} match, {needed} are needed"
    else:
        needed, found = evidence.rank_sum.needed, evidence.rank_sum.value
        each = evidence.rank_sum.largest // evidence.trials
        state = f"ranks weigh {found}, {needed} is needed"
    if (
        unanswered
        and case.labels_count
        and not evidence.reached
        and needed is not None
        and found + each * len(unanswered) >= needed
    ):
        raise SuspectUnusable(
            f"{len(unanswered)} triggers got no answer ({_why(unanswered)}), and they "
            f"could change the verdict: {state}",
            hint="make the suspect answer, then verify again with the same challenge and proof",
            check="suspect.answers",
        )
    detail = f"{len(case.results) - len(unanswered)} of {len(case.results)} answered"
    case.checks.set("suspect.answers", PASSED, detail)


def _record_of(suspect: Suspect) -> tuple[dict[str, Any], ...]:
    """What a remote suspect was asked and answered, decoys included, as JSON values."""
    return tuple(
        {
            "image": record.image_digest.hex(),
            "output": record.answer.output,
            "problem": record.answer.problem,
            "attempts": record.attempts,
            "seconds": round(record.seconds, 3),
        }
        for record in suspect.records
    )


def _why(unanswered: list[TriggerResult]) -> str:
    """Why the first of them that was asked got no answer."""
    asked = [result.problem for result in unanswered if not result.problem.startswith("not asked")]
    return (asked or [unanswered[0].problem])[0]
