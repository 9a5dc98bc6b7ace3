"""The verdict of a judge: its outcome, every check by id, and each opened trigger.

SPEC.md sections 9, 10 and 18.3. Data only: ``zkwm.judge.judge`` decides, ``zkwm.report`` shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from zkwm.judge.particulars import NOT_STATED, CaseParticulars, FileDigest, FileRole
from zkwm.judge.results import Argued, Asked, Check, FirstSeen, TriggerResult, suspect_values
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.class_map import mapped_classes
from zkwm_protocols.commitment import Header, LabelMode
from zkwm_protocols.evidence import Evidence
from zkwm_protocols.keys import JudgePublic

SCHEMA = "zkwm/verdict/v1"


class Outcome(StrEnum):
    """The outcome of a case."""

    PROVEN = "proven"
    NOT_PROVEN = "not proven"
    COULD_NOT_CHECK = "could not be checked"
    TRUST_MATERIAL_MISSING = "trust material missing"


class CheckedBy(StrEnum):
    """Who checked: the judge, who has the ledger, or the public, who knows what the files say."""

    JUDGE = "judge"
    PUBLIC = "public"


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
        particulars: who disputes about what, as stated to whoever checked, who did not check it.
        files: the files that the verdict is about, by digest.
        checked_by: whether the judge checked, with their ledger, or anybody else.
        judge: the judge by whose key it was checked; who checked, where ``checked_by`` says so.
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
    particulars: CaseParticulars = NOT_STATED
    files: tuple[FileDigest, ...] = ()
    checked_by: CheckedBy = CheckedBy.JUDGE
    judge: JudgePublic | None = None

    @property
    def proven(self) -> bool:
        """Whether the claim is proven under the judge's policy."""
        return self.outcome == Outcome.PROVEN

    @property
    def declared_labels(self) -> bool:
        """Whether the owner declared the labels, so that no bits may be stated."""
        return self.header is not None and self.header.label_mode == LabelMode.DECLARED

    def with_file(self, file: FileDigest) -> Verdict:
        """The same verdict with one file more, such as its report."""
        return replace(self, files=(*self.files, file))

    def with_names(self, names: Mapping[FileRole, str]) -> Verdict:
        """The same verdict with these names for the files that have a role of ``names``."""
        return replace(
            self, files=tuple(file.named(names.get(file.role, file.name)) for file in self.files)
        )

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
            "argument": None if self.argued is None else self.argued.to_json(),
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
            "triggers": [result.to_json() for result in self.triggers],
            "suspect_record": list(self.suspect_record),
            "functions_tried": self.functions_tried,
            "asked": None if self.asked is None else self.asked.to_json(),
            "dates_checked": False,
            "first_seen": None if self.first_seen is None else vars(self.first_seen),
            "versions": self.versions,
            "particulars": self.particulars.to_json(),
            "files": [file.to_json() for file in self.files],
            "checked_by": self.checked_by,
            "checking_judge": None if self.judge is None else self.judge.fingerprint(),
        }


def _accuracy(challenge: Challenge | None) -> dict[str, Any] | None:
    """What the suspect got right on test data, as JSON values; None where nobody measured."""
    if challenge is None or challenge.test_accuracy is None:
        return None
    return challenge.test_accuracy.to_json()


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
