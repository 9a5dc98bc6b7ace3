"""The outcome of a dispute as data, as JSON and as a file that its judge signs (SPEC.md 28.7)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from zkwm.disputes import verdict_fields as fields_of
from zkwm.disputes.case_file import MOST_FILES
from zkwm.disputes.results import (
    DisputeOutcome,
    Found,
    FoundClaim,
    FoundModel,
    FoundParty,
    Objection,
    Standing,
)
from zkwm.disputes.rules import SECTIONS, Decision, decide, standing
from zkwm.judge.particulars import file_name
from zkwm.judge.verdict_fields import read_versions, write_versions
from zkwm.written_dates import interval_values, rfc3339
from zkwm_protocols.dispute_verdict_file import DisputeVerdictFile
from zkwm_protocols.errors import Malformed, ZkwmError
from zkwm_protocols.keys import JudgePublic, SigningKey
from zkwm_protocols.schema import (
    require_bytes,
    require_choice,
    require_integer,
    require_list,
    require_optional_bytes,
    require_text,
)
from zkwm_protocols.transparency.equivocation import Equivocation

SCHEMA = "zkwm/dispute/v1"
_MICRO = 1_000_000


@dataclass(frozen=True)
class CaseFileDigest:
    """A file of the case: its place there, SHA-256 (32 bytes) and size."""

    role: str
    name: str
    digest: bytes
    size: int


@dataclass(frozen=True)
class DisputeVerdict:
    """A decided dispute.

    Args:
        title: of the case, as stated.
        decision: the outcome, for whom, and by which rule.
        reason: the outcome in one sentence.
        checked: the judge's clock, seconds since 1970.
        trust: digest of what the judge trusts (24.1); None where nobody was trusted.
        found: parties, models and claims.
        remarks: what else was seen, each with its rule.
        not_checked: what could not be used or was not looked at.
        equivocations: evidence against logs.
        files: all files of the case that were examined.
        versions: the software that decided.
        judge: who decided; None where nobody signs.
        people: the names of those whom the judge trusts to know persons, ascending.
    """

    title: str
    decision: Decision
    reason: str
    checked: int
    trust: bytes | None
    found: Found
    remarks: tuple[Objection, ...]
    not_checked: tuple[str, ...]
    equivocations: tuple[Equivocation, ...]
    files: tuple[CaseFileDigest, ...]
    versions: dict[str, str]
    judge: JudgePublic | None = None
    people: tuple[str, ...] = ()

    @property
    def outcome(self) -> DisputeOutcome:
        """How the dispute ended."""
        return self.decision.outcome

    def standing(self, claim: FoundClaim) -> Standing:
        """What a claim is worth."""
        return standing(self.found, claim)

    def with_report(self, name: str, data: bytes) -> DisputeVerdict:
        """The same verdict with the digest of its report."""
        report = file_digest("report", name, hashlib.sha256(data).digest(), len(data))
        return replace(self, files=(*self.files, report))

    def signed_by(self, key: SigningKey, judge: JudgePublic) -> bytes:
        """The verdict's file, signed. Raises Malformed for one that nobody could read."""
        data = DisputeVerdictFile.signed(self._to_fields(), judge, key).to_bytes()
        DisputeVerdict.from_bytes(data, judge)  # never sign what nobody could read
        return data

    @classmethod
    def from_bytes(cls, data: bytes, judge: JudgePublic | str) -> DisputeVerdict:
        """Read a verdict that ``judge``, by keys or fingerprint, signed.

        Raises:
            InvalidSignature: it is another judge's (``dispute.judge``), or was altered
                (``dispute.signature``).
            Malformed, Unsupported: it is no such verdict, or another outcome than its own follows
                from what it says (``dispute.format``).
        """
        with _format_errors():
            return cls._from_fields(DisputeVerdictFile.from_bytes(data).verify(judge))

    @classmethod
    def from_unverified(cls, data: bytes) -> DisputeVerdict:
        """Read a verdict that anybody may have written: for a look at it, never as evidence."""
        with _format_errors():
            return cls._from_fields(DisputeVerdictFile.from_bytes(data).fields())

    def _to_fields(self) -> dict[str, Any]:
        """What the file holds beside type, version and judge."""
        return {
            "title": self.title,
            "outcome": self.decision.outcome.value,
            "supported": self.decision.party,
            "rule": self.decision.section,
            "reason": fields_of.plain(self.reason),
            "checked": self.checked,
            "trust": self.trust,
            **fields_of.write_found(self.found),
            "remarks": fields_of.write_words(self.remarks),
            "not_checked": [fields_of.plain(one) for one in self.not_checked],
            "equivocations": [one.to_bytes() for one in self.equivocations],
            "files": [[one.role, one.name, one.digest, one.size] for one in self.files],
            "versions": write_versions(self.versions),
            "people": list(self.people),
        }

    @classmethod
    def _from_fields(cls, fields: dict[str, Any]) -> DisputeVerdict:
        """Read ``_to_fields``, with the judge. Raises Malformed or Unsupported."""
        files = []
        for row in require_list(fields["files"], 0, 10 * MOST_FILES):
            role, name, digest, size = require_list(row, 4, 4)
            files.append(
                CaseFileDigest(
                    require_text(role, 40),
                    require_text(name, 200),
                    require_bytes(digest, 32),
                    require_integer(size, 2**40),
                )
            )
        found = fields_of.read_found(fields)
        decision = Decision(
            require_choice(fields["outcome"], DisputeOutcome, "outcome"),
            require_text(fields["supported"], 64),
            require_text(fields["rule"], 20),
        )
        if decide(found) != decision:
            raise Malformed("the verdict contradicts itself: its own facts give another outcome")
        return cls(
            require_text(fields["title"], 200),
            decision,
            require_text(fields["reason"], fields_of.MOST_WORDS),
            require_integer(fields["checked"], 2**40),
            require_optional_bytes(fields["trust"], 32),
            found,
            fields_of.read_words(fields["remarks"]),
            fields_of.read_texts(fields["not_checked"]),
            fields_of.read_evidence(fields["equivocations"]),
            tuple(files),
            read_versions(fields["versions"]),
            JudgePublic.from_map(fields["judge"]),
            fields_of.read_people(fields["people"]),
        )

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON values, schema ``zkwm/dispute/v1``."""
        return {
            "schema": SCHEMA,
            "title": self.title,
            "outcome": self.decision.outcome,
            "supported": self.decision.party or None,
            "rule": self.decision.section,
            "reason": self.reason,
            "checked": self.checked,
            "trust": None if self.trust is None else self.trust.hex(),
            "parties": [_party(one) for one in self.found.parties],
            "models": [_model(one) for one in self.found.models],
            "claims": [self._claim(one) for one in self.found.claims],
            "remarks": [vars(one) for one in self.remarks],
            "not_checked": list(self.not_checked),
            "equivocations": [_equivocation(one) for one in self.equivocations],
            "files": [
                {"role": one.role, "name": one.name, "sha256": one.digest.hex(), "bytes": one.size}
                for one in self.files
            ],
            "versions": self.versions,
            "judge": None if self.judge is None else self.judge.fingerprint(),
            "knowing_persons": list(self.people),
        }

    def _claim(self, one: FoundClaim) -> dict[str, Any]:
        """A claim as JSON values."""
        worth = self.standing(one)
        return {
            "mark": one.mark,
            "model": one.model,
            "standing": worth,
            "rule": SECTIONS[worth],
            "outcome": one.outcome,
            "basis": one.basis,
            "detail": one.detail,
            "bits": None if one.bits is None else one.bits / 100,
            "matches": one.matches,
            "trials": one.trials,
            "judge": one.judge or None,
            "challenge": None if one.challenge is None else one.challenge.hex(),
            "proof": None if one.proof is None else one.proof.hex(),
            "issued": one.issued,
            "blocks": list(one.blocks),
            "objections": [vars(item) for item in one.objections],
        }


@contextmanager
def _format_errors() -> Iterator[None]:
    """Errors of reading, without a check of their own, fail ``dispute.format``."""
    try:
        yield
    except ZkwmError as error:
        error.check = error.check or "dispute.format"
        raise


def _party(one: FoundParty) -> dict[str, Any]:
    """A party as JSON values."""
    return {
        "name": one.name,
        "called": one.called,
        "commitment": None if one.commitment is None else one.commitment.hex(),
        "owner_keys": list(one.owner_keys),
        "persons": [key.to_json() for key in one.keys],
        "existed": interval_values(one.existed),
        "authorities": [
            {"name": name, **(interval_values(interval) or {})} for name, interval in one.dated
        ],
        "logged": [
            {
                "log": place.origin,
                "index": place.index,
                "time": None if place.time is None else rfc3339(place.time * _MICRO),
            }
            for place in one.logged
        ],
        "problem": one.problem or None,
    }


def _model(one: FoundModel) -> dict[str, Any]:
    """A model as JSON values."""
    published = one.published
    return {
        "name": one.name,
        "published_by": one.published_by,
        "kind": one.kind or None,
        "digest": None if one.digest is None else one.digest.hex(),
        "published": None if published is None else interval_values(published.interval),
        "source": None if published is None else published.source,
        "contested": one.contested,
        "problem": one.problem or None,
    }


def _equivocation(one: Equivocation) -> dict[str, Any]:
    """Evidence against a log as JSON values."""
    heads = (one.first.checkpoint.head, one.second.checkpoint.head)
    return {
        "log": one.first.checkpoint.origin,
        "sizes": [head.size for head in heads],
        "roots": [head.root.hex() for head in heads],
    }


def file_digest(role: str, name: str, digest: bytes, size: int) -> CaseFileDigest:
    """A file of the case, named for people."""
    return CaseFileDigest(role, file_name(name), digest, size)
