"""The verdict of a judge: its outcome, every check by id, and each opened trigger.

SPEC.md sections 9, 10 and 18.3. Data only: ``zkwm.judge.judge`` decides, ``zkwm.report`` shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.network_agreement import Agreement
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.class_map import mapped_classes
from zkwm_protocols.commitment import Header, LabelMode
from zkwm_protocols.evidence import Evidence
from zkwm_protocols.suspect_identity import SuspectIdentity

SCHEMA = "zkwm/verdict/v1"
_USABLE, _EVADED = 0.99, 0.9


class Outcome(StrEnum):
    """The outcome of a case."""

    PROVEN = "proven"
    NOT_PROVEN = "not proven"
    COULD_NOT_CHECK = "could not be checked"
    TRUST_MATERIAL_MISSING = "trust material missing"


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
        # Scores that are there for natural images alone: an evasion where ranks are counted.
        return natural.scored >= _USABLE * natural.asked and (
            triggers.scored < _EVADED * triggers.asked
        )


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


@dataclass(frozen=True)
class Verdict:
    """The outcome and all that led to it. Fields that a failed check left unknown are None.

    Args:
        outcome: how the case ended.
        reason: one sentence.
        hint: what to do next, or empty.
        checks: every check in order.
        commitment_digest: D, 32 bytes.
        header: the commitment's header.
        challenge: the challenge that was answered.
        proof_digest: SHA-256 of the proof file, 32 bytes.
        blocks: the blocks that the response is about.
        triggers: every trigger that was opened; empty for an argument.
        evidence: the evidence; for an argument its matches are k*, the least there are.
        declared_labels_accepted: whether the owner declared the labels and the judge accepts them.
        suspect_record: what a remote suspect was asked and answered, as JSON values.
        checked: the judge's clock in seconds since 1970.
        versions: the software used, by name.
        argued: what was examined of an argument; None where triggers were to be opened.
        functions_tried: j, by the judge's ledger; None before the response was known to be valid.
        asked: how the suspect was asked; None where it was not.
        first_seen: when the judge first saw commitment and suspect.
        class_names: the committed names of the classes; None without, or where they are not those
            of the header.
    """

    outcome: Outcome
    reason: str
    hint: str
    checks: tuple[Check, ...]
    commitment_digest: bytes | None
    header: Header | None
    challenge: Challenge | None
    proof_digest: bytes | None
    blocks: tuple[int, ...]
    triggers: tuple[TriggerResult, ...]
    evidence: Evidence | None
    declared_labels_accepted: bool
    suspect_record: tuple[dict[str, Any], ...]
    checked: int
    versions: dict[str, str]
    argued: Argued | None = None
    functions_tried: int | None = None
    asked: Asked | None = None
    first_seen: FirstSeen | None = None
    class_names: tuple[str, ...] | None = None

    @property
    def proven(self) -> bool:
        """Whether the claim is proven under the judge's policy."""
        return self.outcome == Outcome.PROVEN

    @property
    def declared_labels(self) -> bool:
        """Whether the owner declared the labels, so that no bits may be stated."""
        return self.header is not None and self.header.label_mode == LabelMode.DECLARED

    @property
    def classes(self) -> list[dict[str, Any]] | None:
        """Each label with its name and the output that stands for it (``mapped_classes``)."""
        if self.challenge is None:
            return None
        challenge = self.challenge
        return mapped_classes(challenge.class_map, challenge.suspect_classes, self.class_names)

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON values, schema ``zkwm/verdict/v1`` (SPEC.md 10.2), without images."""
        challenge, header, evidence = self.challenge, self.header, self.evidence
        trials = None if evidence is None else evidence.trials
        return {
            "schema": SCHEMA,
            "outcome": self.outcome,
            "reason": self.reason,
            "hint": self.hint,
            "checked": self.checked,
            "commitment": None if self.commitment_digest is None else self.commitment_digest.hex(),
            "owner_keys": []
            if header is None
            else [key.fingerprint() for key in header.owner_keys],
            "label_mode": None if header is None else header.label_mode,
            "declared_labels_accepted": self.declared_labels_accepted,
            "challenge": None if challenge is None else challenge.digest.hex(),
            "judge": None if challenge is None else challenge.judge.fingerprint(),
            "purpose": None if challenge is None else challenge.purpose,
            "suspect": None if challenge is None else suspect_values(challenge.suspect),
            "preprocessing": None if challenge is None else challenge.preprocessing.to_map(),
            "classes": self.classes,
            "test_accuracy": _accuracy(challenge),
            "mode": None if challenge is None else challenge.mode,
            "argument": None if self.argued is None else _argued(self.argued),
            "proof": None if self.proof_digest is None else self.proof_digest.hex(),
            "blocks": list(self.blocks),
            "statistic": None if challenge is None else challenge.statistic,
            "matches": None if evidence is None else evidence.matches,
            "matches_are": None if evidence is None else "at least" if self.argued else "exactly",
            "triggers_opened": 0 if self.argued else trials,
            "triggers_counted": trials,
            "matches_needed": None if evidence is None else evidence.needed_matches,
            "ranks": None
            if evidence is None or evidence.rank_sum is None
            else vars(evidence.rank_sum),
            "evidence": None if evidence is None or self.declared_labels else _sum(evidence),
            "checks": [vars(check) for check in self.checks],
            "triggers": [_trigger(result) for result in self.triggers],
            "suspect_record": list(self.suspect_record),
            "functions_tried": self.functions_tried,
            "asked": None if self.asked is None else _asked(self.asked),
            "dates_checked": False,
            "first_seen": None if self.first_seen is None else vars(self.first_seen),
            "versions": self.versions,
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


def _accuracy(challenge: Challenge | None) -> dict[str, Any] | None:
    """What the suspect got right on test data, as JSON values; None where nobody measured."""
    if challenge is None or challenge.test_accuracy is None:
        return None
    return challenge.test_accuracy.to_json()


def _trigger(result: TriggerResult) -> dict[str, Any]:
    """A trigger's result as JSON values, without its image."""
    return {
        "block": result.block,
        "index": result.index,
        "status": result.status,
        "label": result.label,
        "expected_output": result.expected_output,
        "answer": result.answer,
        "rank": result.rank,
        "problem": result.problem,
    }


def _argued(argued: Argued) -> dict[str, Any]:
    """What was examined of an argument, as JSON values."""
    return {
        "network": argued.network.hex(),
        "least_matches": argued.least_matches,
        "soundness_bits": round(argued.soundness_bits, 2) or None,
        "soundness_terms": [
            {"term": name, "bits": round(bits, 2), "theorem": theorem}
            for name, bits, theorem in argued.soundness_terms
        ],
        "agreement": [agreement.to_json() for agreement in argued.agreements],
    }


def _asked(asked: Asked) -> dict[str, Any]:
    """How the suspect was asked, as JSON values."""
    return {
        "earlier": asked.earlier,
        "kept": asked.kept,
        "rates": [vars(rate) for rate in asked.rates],
        "evasive": asked.evasive,
    }


def _sum(evidence: Evidence) -> dict[str, Any]:
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
