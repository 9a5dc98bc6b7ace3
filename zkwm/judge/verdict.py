"""The verdict of a judge: its outcome, every check by id, and each opened trigger.

SPEC.md sections 9, 10 and 18.3. Data only: ``zkwm.judge.judge`` decides, ``zkwm.report`` shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from zkwm.judge import argued_fields
from zkwm.judge import verdict_fields as fields_of
from zkwm.judge.dating import Dating, dates_values, order_of
from zkwm.judge.particulars import NOT_STATED, CaseParticulars, FileDigest, FileRole
from zkwm.judge.recount import recounted
from zkwm.judge.results import (
    Argued,
    Asked,
    Check,
    CheckStatus,
    FirstSeen,
    TriggerResult,
    accuracy_values,
    counted_values,
    suspect_values,
)
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.class_map import mapped_classes
from zkwm_protocols.class_names import require_names
from zkwm_protocols.commitment import MAXIMUM_LEAVES, Header, LabelMode
from zkwm_protocols.dates import Order, Published
from zkwm_protocols.errors import Malformed
from zkwm_protocols.evidence import Evidence
from zkwm_protocols.keys import JudgePublic, SigningKey
from zkwm_protocols.schema import (
    require_boolean,
    require_bytes,
    require_choice,
    require_integer,
    require_list,
    require_optional_bytes,
    require_text,
)
from zkwm_protocols.verdict_file import VerdictFile

SCHEMA = "zkwm/verdict/v1"
_MAY_NOT_PASS = {
    ("commitment.timestamp", CheckStatus.SKIPPED),
    ("opening.leaves", CheckStatus.FAILED),
}
"""Nobody states a date; wrong leaves are misses."""
_NOT_PROVEN_BY = {
    "evidence.threshold", "opening.labels", "argument.labels", "commitment.timestamp",
}  # fmt: skip


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
        dating: when the commitment existed, by those whom the judge trusts; None where nobody said
            whom they trust.
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
    dating: Dating | None = None

    @classmethod
    def from_bytes(cls, data: bytes, judge: JudgePublic | str) -> Verdict:
        """Read a verdict's file that ``judge`` signed (SPEC.md 10.4); images are not in it.

        ``judge`` is their public keys, or their fingerprint: the file has the keys themselves.

        What it shows is what that judge says: an outcome of ``could not be checked`` is signed,
        too. Compare the judge's fingerprint with what they published.

        Raises:
            InvalidSignature: it is another judge's (``verdict.judge``), or was altered
                (``verdict.signature``).
            Malformed: it is no verdict, or contradicts itself (``verdict.format``).
            Unsupported: it is of another version (``verdict.format``).
        """
        with fields_of.format_errors():
            return cls._from_fields(VerdictFile.from_bytes(data).verify(judge))

    @classmethod
    def from_unverified(cls, data: bytes) -> Verdict:
        """Read a verdict's file that anybody may have written: for a look at it, never as evidence.

        Raises Malformed or Unsupported (``verdict.format``).
        """
        with fields_of.format_errors():
            return cls._from_fields(VerdictFile.from_bytes(data).fields())

    def signed_by(self, key: SigningKey, judge: JudgePublic) -> bytes:
        """The verdict's file, signed (SPEC.md 10.4); ``Judge.sign_verdict`` says who may."""
        return VerdictFile.signed(self._to_fields(), judge, key).to_bytes()

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
    def published(self) -> Published | None:
        """When the suspect was published, as the challenge says; None where nobody knows."""
        return None if self.challenge is None else self.challenge.published

    @property
    def order(self) -> Order:
        """Whether the commitment is older than the suspect (SPEC.md 8.5)."""
        return order_of(self.dating, self.challenge)

    @property
    def classes(self) -> list[dict[str, Any]] | None:
        """Each label with its name and the output that stands for it (``mapped_classes``)."""
        if self.challenge is None:
            return None
        challenge = self.challenge
        return mapped_classes(challenge.class_map, challenge.suspect_classes, self.class_names)

    def _contradictions(self) -> Iterator[str]:
        """What outcome, checks, evidence and digests say against each other, one by one."""
        passed, failed = (
            {check.id for check in self.checks if check.status == status}
            for status in (CheckStatus.PASSED, CheckStatus.FAILED)
        )
        missing = {(check.id, check.status) for check in self.checks if check.id not in passed}
        challenge, reached = self.challenge, self.evidence is not None and self.evidence.reached
        if self.proven and (missing - _MAY_NOT_PASS or not reached):
            yield "it says proven, its checks or its evidence do not"
        if self.outcome == Outcome.NOT_PROVEN and (
            self.evidence is None or not failed & _NOT_PROVEN_BY
        ):
            yield "it says not proven, its checks do not"
        if self.outcome not in (Outcome.PROVEN, Outcome.NOT_PROVEN) and not missing - _MAY_NOT_PASS:
            yield "it says that something could not be checked, and all was"
        read = {"commitment": self.header, "challenge": challenge, "response": self.proof_digest}
        if any(f"{name}.format" in passed and value is None for name, value in read.items()):
            yield "a file was read, and is not there"
        if any(check.id == "argument.proof" for check in self.checks) == (self.argued is None):
            yield "its checks are those of the other way of answering"
        if self.header is not None and self.header.digest != self.commitment_digest:
            yield "its header is another commitment's"
        if challenge is not None:
            if "challenge.commitment" in passed and challenge.commitment != self.commitment_digest:
                yield "its challenge is for another commitment"
            if "challenge.judge" in passed and challenge.judge != self.judge:
                yield "its challenge is another judge's"
        known = {FileRole.PROOF: self.proof_digest}
        for role, file in ((FileRole.CHALLENGE, challenge), (FileRole.JUDGE_PUBLIC, self.judge)):
            known[role] = None if file is None else hashlib.sha256(file.to_bytes()).digest()
        if any(known.get(file.role) not in (None, file.digest) for file in self.files):
            yield "a file that it lists is not the one that it is about"
        yield from recounted(self)

    def _to_fields(self) -> dict[str, Any]:
        """What the file holds beside type, version and judge."""
        seen, names = self.first_seen, self.class_names
        return {
            "outcome": self.outcome.value,
            "reason": fields_of.plain(self.reason),
            "hint": fields_of.plain(self.hint),
            "checked": self.checked,
            "checks": fields_of.write_checks(self.checks),
            "commitment": self.commitment_digest,
            "header": None if self.header is None else self.header.to_bytes(),
            "challenge": None if self.challenge is None else self.challenge.to_bytes(),
            "proof": self.proof_digest,
            "blocks": list(self.blocks),
            "triggers": fields_of.write_triggers(self.triggers),
            "evidence": fields_of.write_evidence(self.evidence),
            "declared_labels_accepted": self.declared_labels_accepted,
            "suspect_record": fields_of.write_record(self.suspect_record),
            "versions": fields_of.write_versions(self.versions),
            "argued": argued_fields.write_argued(self.argued),
            "functions_tried": self.functions_tried,
            "asked": fields_of.write_asked(self.asked),
            "first_seen": None if seen is None else [seen.commitment, seen.suspect],
            "dates": None if self.dating is None else self.dating.to_map(),
            "class_names": None if names is None else list(names),
            "particulars": self.particulars.to_json(),
            "files": fields_of.write_files(self.files),
        }

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> Verdict:
        """Read ``_to_fields``, with the judge. Raises Malformed or Unsupported."""
        header, file, tried = fields["header"], fields["challenge"], fields["functions_tried"]
        names = fields["class_names"]
        challenge = None if file is None else Challenge.from_bytes(require_bytes(file))
        verdict = cls(
            outcome=require_choice(fields["outcome"], Outcome, "outcome"),
            reason=require_text(fields["reason"], fields_of.MOST_TEXT),
            hint=require_text(fields["hint"], fields_of.MOST_TEXT),
            checks=fields_of.read_checks(fields["checks"]),
            commitment_digest=require_optional_bytes(fields["commitment"], 32),
            header=None if header is None else Header.from_bytes(require_bytes(header)),
            challenge=challenge,
            proof_digest=require_optional_bytes(fields["proof"], 32),
            blocks=tuple(
                require_integer(block, MAXIMUM_LEAVES)
                for block in require_list(fields["blocks"], 0, MAXIMUM_LEAVES)
            ),
            triggers=fields_of.read_triggers(fields["triggers"]),
            evidence=fields_of.read_evidence(fields["evidence"], challenge),
            declared_labels_accepted=require_boolean(fields["declared_labels_accepted"]),
            suspect_record=fields_of.read_record(fields["suspect_record"]),
            checked=require_integer(fields["checked"], 2**40),
            versions=fields_of.read_versions(fields["versions"]),
            argued=argued_fields.read_argued(fields["argued"], challenge),
            functions_tried=None if tried is None else require_integer(tried, 2**40, 1),
            asked=fields_of.read_asked(fields["asked"]),
            first_seen=fields_of.read_first_seen(fields["first_seen"]),
            dating=Dating.from_map(fields["dates"]),
            class_names=None if names is None else require_names(names),
            particulars=fields_of.read_particulars(fields["particulars"]),
            files=fields_of.read_files(fields["files"]),
            judge=JudgePublic.from_map(fields["judge"]),
        )
        for contradiction in verdict._contradictions():
            raise Malformed(f"the verdict contradicts itself: {contradiction}")
        return verdict

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON values, schema ``zkwm/verdict/v1`` (SPEC.md 10.2), without images."""
        challenge, header = self.challenge, self.header
        return {
            "schema": SCHEMA,
            "outcome": self.outcome,
            "reason": self.reason,
            "hint": self.hint,
            "dates": dates_values(self.dating, self.challenge),
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
            "test_accuracy": accuracy_values(challenge),
            "mode": None if challenge is None else challenge.mode,
            "argument": None if self.argued is None else self.argued.to_json(),
            "proof": None if self.proof_digest is None else self.proof_digest.hex(),
            "blocks": list(self.blocks),
            "statistic": None if challenge is None else challenge.statistic,
            **counted_values(
                self.evidence, argued=self.argued is not None, declared=self.declared_labels
            ),
            "checks": [vars(check) for check in self.checks],
            "triggers": [result.to_json() for result in self.triggers],
            "suspect_record": list(self.suspect_record),
            "functions_tried": self.functions_tried,
            "asked": None if self.asked is None else self.asked.to_json(),
            "first_seen": None if self.first_seen is None else vars(self.first_seen),
            "versions": self.versions,
            "particulars": self.particulars.to_json(),
            "files": [file.to_json() for file in self.files],
            "checked_by": self.checked_by,
            "checking_judge": None if self.judge is None else self.judge.fingerprint(),
        }
