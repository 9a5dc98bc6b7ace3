"""What a verdict lists: checks, opened triggers, how the suspect was asked, what was argued.

SPEC.md sections 9, 7 and 18.3. Data only: ``zkwm.judge.verdict`` holds them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.network_agreement import Agreement
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.evidence import Evidence
from zkwm_protocols.suspect_identity import SuspectIdentity

_USABLE, _EVADED = 0.99, 0.9


class CheckStatus(StrEnum):
    """The result of one numbered check; skipped are those that were not reached."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class TriggerStatus(StrEnum):
    """The status of one trigger of an opened block.

    ``WRONG_LEAF`` was opened, but does not hash to the committed digest; ``MISSING_LEAF`` was not
    opened. Both are misses.
    """

    MATCH = "match"
    NO_MATCH = "no match"
    WRONG_LEAF = "wrong leaf"
    MISSING_LEAF = "missing leaf"
    NO_ANSWER = "no answer"


@dataclass(frozen=True)
class Check:
    """One numbered check of SPEC.md 9 and its result; ``detail`` says why."""

    id: str
    title: str
    status: CheckStatus
    detail: str


@dataclass(frozen=True)
class TriggerResult:
    """One trigger of an opened block. What is not known is None.

    Args:
        block: the number of its block.
        index: its number among all triggers of the commitment.
        status: whether it matches.
        image (uint8, (channels, height, width)): its pixels.
        label: the committed label.
        expected_output: the suspect's output that stands for the label.
        answer: the suspect's output.
        problem: why there is no answer.
        rank: where ranks are counted, the label's rank among the centered scores, 0 the highest.
        points: where points are counted, those of each class, a byte for each.
    """

    block: int
    index: int
    status: TriggerStatus
    image: NDArray[np.uint8] | None
    label: int | None
    expected_output: int | None
    answer: int | None
    problem: str = ""
    rank: int | None = None
    points: bytes | None = None

    @property
    def label_points(self) -> int | None:
        """The points of the label, where they are counted."""
        return None if self.points is None or self.label is None else self.points[self.label]

    def to_json(self) -> dict[str, Any]:
        """The result as JSON values, without the image."""
        return {
            "block": self.block,
            "index": self.index,
            "status": self.status,
            "label": self.label,
            "expected_output": self.expected_output,
            "answer": self.answer,
            "rank": self.rank,
            "points": self.label_points,
            "problem": self.problem,
        }


@dataclass(frozen=True)
class FirstSeen:
    """When the judge first saw commitment and suspect, by their clock, in seconds since 1970."""

    commitment: int
    suspect: int


@dataclass(frozen=True)
class AnswerRate:
    """Of ``asked`` images of one kind ``answered`` got an answer, ``scored`` with scores."""

    kind: str
    asked: int
    answered: int
    scored: int


@dataclass(frozen=True)
class Asked:
    """How the suspect was asked.

    Args:
        earlier: how often it had been asked for this challenge before.
        kept: the triggers whose first answer was kept from then.
        rates: how many images of each kind it answered: triggers first, then, where they were
            asked, decoys and natural images.
    """

    earlier: int
    kept: int
    rates: tuple[AnswerRate, ...]

    @property
    def evasive(self) -> bool:
        """Whether it answers natural images, and leaves more than a tenth of the triggers."""
        if len(self.rates) < 2:
            return False
        triggers, natural = self.rates[0], self.rates[-1]
        if natural.answered < _USABLE * natural.asked:
            return False
        if triggers.answered < _EVADED * triggers.asked:
            return True
        # Scores that are there for natural images alone: an evasion where scores are read.
        return natural.scored >= _USABLE * natural.asked and (
            triggers.scored < _EVADED * triggers.asked
        )

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "earlier": self.earlier,
            "kept": self.kept,
            "rates": [vars(rate) for rate in self.rates],
            "evasive": self.evasive,
        }


@dataclass(frozen=True)
class Argued:
    """What was examined of an answer in zero knowledge.

    Args:
        network: the digest of the integer network, 32 bytes.
        least_matches: k*.
        agreements: how often the integer network answers as the suspect does.
        soundness_bits: those of the argument; 0.0 before it was checked.
        soundness_terms: what they are made of: name, bits, theorem (SPEC.md 17.9).
    """

    network: bytes
    least_matches: int
    agreements: tuple[Agreement, ...] = ()
    soundness_bits: float = 0.0
    soundness_terms: tuple[tuple[str, float, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values (SPEC.md 18.3)."""
        return {
            "network": self.network.hex(),
            "least_matches": self.least_matches,
            "soundness_bits": round(self.soundness_bits, 2) or None,
            "soundness_terms": [
                {"term": name, "bits": round(bits, 2), "theorem": theorem}
                for name, bits, theorem in self.soundness_terms
            ],
            "agreement": [agreement.to_json() for agreement in self.agreements],
        }


def suspect_values(suspect: SuspectIdentity) -> dict[str, Any]:
    """The suspect's identity as JSON values."""
    return {
        "kind": suspect.kind,
        "digest": suspect.digest.hex(),
        "description": suspect.description,
        "outputs": suspect.outputs,
        "output": suspect.output,
        "adapter": suspect.adapter,
        "template": None if suspect.template is None else suspect.template.hex(),
        "account": None if suspect.account is None else list(suspect.account.header_names),
    }


def accuracy_values(challenge: Challenge | None) -> dict[str, Any] | None:
    """What the suspect got right on test data, as JSON values; None where nobody measured."""
    if challenge is None or challenge.test_accuracy is None:
        return None
    return challenge.test_accuracy.to_json()


def evidence_values(evidence: Evidence) -> dict[str, Any]:
    """The evidence as JSON values."""
    return {
        "terms": [
            {"name": term.name, "bits": term.bits, "meaning": term.meaning}
            for term in evidence.terms
        ],
        "total_bits": evidence.total_bits,
        "threshold_bits": evidence.threshold_bits,
        "reached": evidence.reached,
    }


def counted_values(evidence: Evidence | None, *, argued: bool, declared: bool) -> dict[str, Any]:
    """Matches, triggers and evidence as JSON values; of declared labels no bits are stated."""
    trials = None if evidence is None else evidence.trials
    return {
        "matches": None if evidence is None else evidence.matches,
        "matches_are": None if evidence is None else "at least" if argued else "exactly",
        "triggers_opened": 0 if argued else trials,
        "triggers_counted": trials,
        "matches_needed": None if evidence is None else evidence.needed_matches,
        "ranks": None if evidence is None or evidence.rank_sum is None else vars(evidence.rank_sum),
        "points": None
        if evidence is None or evidence.score_sum is None
        else vars(evidence.score_sum),
        "evidence": None if evidence is None or declared else evidence_values(evidence),
    }
