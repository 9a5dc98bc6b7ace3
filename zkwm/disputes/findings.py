"""Which mark stands in which model: every verdict of a case, repeated as far as it can be.

An archive is replayed, an argument verified again, an opening by its own judge alone; what is left
is the word of a judge whom the case names (SPEC.md 28.2). Models are read in limited processes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from zkwm.case_archive.container import ARCHIVE_LIMIT, read_archive
from zkwm.case_archive.documents import CaseDocuments, read_documents
from zkwm.case_archive.manifest import ArchiveRole
from zkwm.case_archive.replay import Replay, check_case
from zkwm.case_archive.steps import ReplayState
from zkwm.disputes.case_file import Claim, Model
from zkwm.disputes.results import Basis, FoundClaim, FoundModel
from zkwm.files import read_limited
from zkwm.judge.judge import Judge
from zkwm.judge.particulars import FileRole
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.judge.verification import verify_argument
from zkwm.suspects.http_suspect import endpoint_digest
from zkwm.suspects.model_digests import model_digests
from zkwm_protocols.argument_response import ArgumentResponse, Response, read_response
from zkwm_protocols.challenge import FILE_LIMIT as CHALLENGE_LIMIT
from zkwm_protocols.challenge import Challenge, OpeningChallenge
from zkwm_protocols.challenge_body import require_same_beacon
from zkwm_protocols.commitment import Commitment, LabelMode
from zkwm_protocols.errors import CouldNotCheck, InvalidOpening, InvalidSignature, ZkwmError
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.response_frame import FILE_LIMIT as RESPONSE_LIMIT
from zkwm_protocols.suspect_identity import SuspectKind
from zkwm_protocols.trust import Trust
from zkwm_protocols.verdict_file import FILE_LIMIT as VERDICT_LIMIT
from zkwm_protocols.verdict_file import VerdictFile


@dataclass(frozen=True)
class Shown:
    """What was shown of one claim, with what objections look at.

    Args:
        found: the claim, without objections.
        opened: whether blocks were opened to a judge, rather than argued about.
        answered: when the owner's answer existed, seconds since 1970, by the clock of a judge whom
            the case names; None where none says it.
        verdict: the file of the verdict, SHA-256; None without.
        declared: whether the owner chose the labels.
        answers: the suspect's answer to each opened trigger, by block and index.
        challenge: the question, or None.
        models: SHA-256 of the files of the suspect that were examined.
    """

    found: FoundClaim
    opened: bool = False
    answered: int | None = None
    verdict: bytes | None = None
    declared: bool = False
    answers: Mapping[tuple[int, int], int | None] = field(default_factory=dict)
    challenge: Challenge | None = None
    models: frozenset[bytes] = frozenset()


def find_model(model: Model) -> FoundModel:
    """The digest of a model; what stands in its way is told, not raised."""
    digest, kind, problem = None, str(SuspectKind.HTTP), ""
    if model.file is None:
        digest = endpoint_digest(model.endpoint)
    else:
        try:
            (one,) = model_digests(model.file)
            digest, kind, problem = one.digest, str(one.kind), one.problem
        except (ZkwmError, ValueError) as error:
            kind, problem = "", getattr(error, "message", "a folder with several models")
    return FoundModel(
        model.name, model.published_by, kind, digest, model.published, model.contested, problem
    )


@dataclass(frozen=True)
class Examiner:
    """Examines claims for one judge of a dispute.

    Args:
        judges: the judges whose word counts, by fingerprint.
        trust: whom the judge of the dispute trusts, or None.
        judge: that judge with their secret keys, who can check openings to themselves; or None.
    """

    judges: Mapping[str, JudgePublic]
    trust: Trust | None
    judge: Judge | None

    def examine(
        self, claim: Claim, commitment: Commitment | None, model: Model, known: FoundModel
    ) -> Shown:
        """Whether the mark of this commitment stands in this model; errors become outcomes."""
        nothing = FoundClaim(claim.mark, claim.model, Outcome.COULD_NOT_CHECK, Basis.NOTHING, "")
        try:
            if commitment is None:
                raise CouldNotCheck("the party's commitment cannot be used")
            if known.digest is None:
                raise CouldNotCheck(f"the model at hand cannot be used: {known.problem}")
            if "archive" in claim.files:
                shown = self._archive(nothing, claim.files["archive"])
            elif "verdict" in claim.files:
                shown = self._verdict(nothing, claim.files["verdict"])
            else:
                shown = self._response(nothing, claim.files, commitment, model)
            _require_same(shown, commitment, model, known)
        except ZkwmError as error:
            hint = f"; {error.hint}" if error.hint else ""
            return Shown(replace(nothing, detail=f"{error.message}{hint}"))
        return shown

    def _archive(self, nothing: FoundClaim, path: Path) -> Shown:
        """Replay a case archive (SPEC.md 20.4)."""
        data = read_limited(path, ARCHIVE_LIMIT, regular=True)
        documents = read_documents(*read_archive(data))
        self._require_judge(documents.judge)
        # the archive's own trust is that of its judge, by which its dates were given
        replay = check_case(data, trust=self.trust if documents.trust is None else None)
        documents = replay.documents
        verdict = documents.verdict
        if verdict is not None:
            shown = _by_verdict(nothing, verdict, _verdict_bytes(documents))
        else:
            shown = _by_documents(nothing, documents)
        packed = [one.digest for one in documents.manifest.files if one.role == ArchiveRole.SUSPECT]
        shown = replace(shown, models=frozenset(packed))
        if replay.differs:
            raise CouldNotCheck(
                f"the archive {path.name} does not come to what it says: "
                + _steps(replay, ReplayState.DIFFERS),
                hint="do not rely on it",
            )
        if replay.outcome is not None:
            found = replace(
                shown.found,
                outcome=replay.outcome,
                basis=Basis.REPEATED,
                detail="repeated whole from its archive",
            )
            return replace(shown, found=found)
        rest = _steps(replay, ReplayState.NOT_REPEATED)
        if replay.hint:
            rest += "; zkwm case check repeats it by itself, and says what helps"
        if verdict is None:
            raise CouldNotCheck(f"the archive was not repeated whole: {rest}")
        return replace(
            shown, found=replace(shown.found, detail=f"as its judge says; not repeated: {rest}")
        )

    def _verdict(self, nothing: FoundClaim, path: Path) -> Shown:
        """A signed verdict alone: the word of a judge whom the case names."""
        data = read_limited(path, VERDICT_LIMIT + 64, regular=True)
        named = JudgePublic.from_map(VerdictFile.from_bytes(data).fields()["judge"])
        self._require_judge(named)
        return _by_verdict(nothing, Verdict.from_bytes(data, named), data)

    def _response(
        self,
        nothing: FoundClaim,
        files: Mapping[str, Path],
        commitment: Commitment,
        model: Model,
    ) -> Shown:
        """A challenge and its answer, verified here."""
        challenge = Challenge.from_bytes(
            read_limited(files["challenge"], CHALLENGE_LIMIT + 64, regular=True)
        )
        data = read_limited(files["proof"], RESPONSE_LIMIT + 64, regular=True)
        self._require_judge(challenge.judge)
        if model.file is None:
            raise CouldNotCheck(
                "an endpoint is not asked again here",
                hint="give the archive of the case, or the verdict that its judge signed",
            )
        if challenge.suspect.kind == SuspectKind.EXTRACTION:
            raise CouldNotCheck(
                "how this mark is extracted is not in challenge and proof",
                hint="give the archive of the case (zkwm case pack), which has it",
            )
        try:
            verdict = self._verify(commitment, model.file, challenge, data)
        except ZkwmError as error:
            if not isinstance(error.verdict, Verdict):
                raise
            verdict = error.verdict
        shown = _by_verdict(nothing, verdict, None)
        found = replace(shown.found, basis=Basis.REPEATED, detail=verdict.reason)
        return replace(shown, found=found, answered=None)

    def _verify(
        self, commitment: Commitment, location: Path, challenge: Challenge, data: bytes
    ) -> Verdict:
        """The verdict on a response. Raises what verifying raises, with its verdict."""
        response: Response = read_response(data)
        if isinstance(response, ArgumentResponse):
            return verify_argument(
                commitment.to_bytes(), location, challenge, data, challenge.judge,
                trust=self.trust,
            )  # fmt: skip
        if self.judge is None or self.judge.public != challenge.judge:
            raise CouldNotCheck(
                "an opening is sealed to the judge who asked, and only they can check it",
                hint="give the archive of the case, or the verdict that its judge signed",
            )
        return self.judge.verify(commitment.to_bytes(), location, challenge, data, trust=self.trust)

    def _require_judge(self, judge: JudgePublic) -> None:
        """Raise InvalidSignature for a judge whom the case does not name."""
        if self.judges.get(judge.fingerprint()) != judge:
            raise InvalidSignature(
                f"the judge who asked, {judge.fingerprint()}, is none whom the case names",
                hint="put their judge.key.pub under judges in CASE.yaml if you trust them",
                check="verdict.judge",
            )


def _by_verdict(nothing: FoundClaim, verdict: Verdict, data: bytes | None) -> Shown:
    """What a verdict says, as the word of its judge."""
    challenge, evidence = verdict.challenge, verdict.evidence
    shown = None if verdict.declared_labels else evidence
    found = replace(
        nothing,
        outcome=verdict.outcome,
        basis=Basis.JUDGES_WORD,
        detail=verdict.reason,
        bits=None if shown is None else shown.total_hundredths,
        matches=None if evidence is None else evidence.matches,
        trials=None if evidence is None else evidence.trials,
        judge="" if verdict.judge is None else verdict.judge.fingerprint(),
        challenge=None if challenge is None else challenge.digest,
        proof=verdict.proof_digest,
        issued=None if challenge is None else challenge.issued,
        blocks=verdict.blocks,
    )
    return Shown(
        found,
        opened=verdict.argued is None,
        answered=verdict.checked,
        verdict=None if data is None else hashlib.sha256(data).digest(),
        declared=verdict.declared_labels,
        answers={(one.block, one.index): one.answer for one in verdict.triggers},
        challenge=challenge,
        models=frozenset(one.digest for one in verdict.files if one.role == FileRole.SUSPECT),
    )


def _by_documents(nothing: FoundClaim, documents: CaseDocuments) -> Shown:
    """What an archive without a verdict says."""
    challenge = documents.challenge
    (proof,) = documents.files(ArchiveRole.PROOF).values()
    found = replace(
        nothing,
        judge=documents.judge.fingerprint(),
        challenge=challenge.digest,
        proof=hashlib.sha256(proof).digest(),
        issued=challenge.issued,
        blocks=tuple(documents.response.blocks),
    )
    return Shown(
        found,
        opened=isinstance(challenge, OpeningChallenge),
        declared=documents.commitment.header.label_mode == LabelMode.DECLARED,
        challenge=challenge,
    )


def _verdict_bytes(documents: CaseDocuments) -> bytes:
    """The file of an archive's verdict."""
    (data,) = documents.files(ArchiveRole.VERDICT).values()
    return data


def _steps(replay: Replay, state: ReplayState) -> str:
    """The steps of a replay that came out so, in words."""
    return "; ".join(f"{one.name}: {one.words}" for one in replay.steps if one.state == state)


def _require_same(shown: Shown, commitment: Commitment, model: Model, known: FoundModel) -> None:
    """Raise InvalidOpening for evidence about another mark or another model."""
    challenge = shown.challenge
    if challenge is None:
        raise InvalidOpening("the verdict was given on files that could not be read")
    if challenge.commitment != commitment.digest:
        raise InvalidOpening("this evidence is about another commitment than the party's")
    # its labels are as old as the first timestamp, which is outside of D
    require_same_beacon(challenge.beacon, commitment)
    same = challenge.suspect.digest == known.digest
    if challenge.suspect.kind == SuspectKind.EXTRACTION and model.file is not None:
        # its digest is of weights, scheme and reference together (SPEC.md 19.3)
        same = _sha256(model.file) in shown.models
    if not same:
        raise InvalidOpening(
            "this evidence is about another model than the one at hand",
            hint="compare the digests: zkwm inspect MODEL, and zkwm inspect FILE.challenge",
        )


def _sha256(path: Path) -> bytes:
    """SHA-256 of a file. Raises CouldNotCheck."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise CouldNotCheck(f"cannot read {path.name}: {error.strerror}") from None
