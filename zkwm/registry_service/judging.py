"""What a judge's worker does with an answer: find the model, verify, log the verdict, keep it.

It decides as ``zkwm verify`` does, with the ledger beside the judge's key, so that both count the
same functions and blocks. The model's file is one of the operator's folder; ONNX Runtime runs it in
a process with limits.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from zkwm.judge.judge import Judge
from zkwm.judge.particulars import NOT_STATED
from zkwm.judge.stated_verdict import state_verdict
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.marketplace.cases import Case, CaseState
from zkwm.marketplace.registrations import kept_commitment
from zkwm.registry_database.database import Database
from zkwm.registry_database.tables import PROOFS
from zkwm.registry_service import claims
from zkwm.registry_service.jobs import Job
from zkwm.registry_service.logged_verdicts import have_logged
from zkwm.registry_service.problems import Refused
from zkwm.registry_service.worker import AGAIN, Handler
from zkwm.suspects import OnnxLimits
from zkwm.suspects.model_digests import model_digests
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import CouldNotCheck, UsageError, ZkwmError
from zkwm_protocols.suspect_identity import SuspectIdentity, SuspectKind
from zkwm_protocols.trust import Trust

_LOGGER = logging.getLogger(__name__)
_IN_FILES = (SuspectKind.ONNX, SuspectKind.SAFETENSORS)
_SUFFIXES = (".onnx", ".safetensors")


def judging(database: Database, judge: Judge, models: Path, trust: Trust | None = None) -> Handler:
    """What does a judge's jobs (``verdict_jobs.verdict_kind``).

    Args:
        database: of the registry's service.
        judge: with the ledger beside their key.
        models: the folder in which models are looked for, by the digest in the challenge.
        trust: whom the challenges trust to date commitments.
    """
    desk = _Desk(database, judge, models, trust)

    def judge_answer(job: Job, given_up: threading.Event) -> Mapping[str, Any]:
        try:
            return desk.judge_answer(job, given_up)
        except Refused as error:  # in words for a caller of the API
            raise UsageError(error.detail) from None

    return judge_answer


def find_model(models: Path, suspect: SuspectIdentity) -> Path:
    """The file of a claim's model: in the folder, or in a folder of it.

    Raises UsageError where it is not there, or the model is not in files: then what to do.
    """
    if suspect.kind not in _IN_FILES:
        raise UsageError(
            "this claim's model is not in a file, and a worker asks no others: verify the answer "
            "by hand (zkwm verify), and hand the signed verdict in"
        )
    for folder in (models, *sorted(one for one in models.glob("*") if one.is_dir())):
        for file in sorted(one for one in folder.glob("*") if one.suffix.lower() in _SUFFIXES):
            (found,) = model_digests(file)
            if (found.kind, found.digest) == (suspect.kind, suspect.digest):
                return file
    raise UsageError(
        f"no {suspect.kind} model in {models} has the digest of this claim's, "
        f"{suspect.digest.hex()}: put its file there, and start the worker again"
    )


class _Desk:
    """A judge at work on a registry's claims."""

    def __init__(self, database: Database, judge: Judge, models: Path, trust: Trust | None) -> None:
        self._database, self._judge, self._models, self._trust = database, judge, models, trust

    def judge_answer(self, job: Job, given_up: threading.Event) -> Mapping[str, Any]:
        """Decide on one answer; done twice, it changes nothing the second time.

        Raises UsageError where the model is missing, CouldNotCheck where another time may mend it.
        """
        name, answer = (_digest(job.payload.get(one)) for one in ("claim", "answer"))
        case, challenge = claims.find(self._database, name)
        if challenge.judge != self._judge.public:
            raise UsageError("this claim is another judge's")
        if case.state == CaseState.WITHDRAWN or self._is_settled(case, answer):
            return {"claim": case.id, "outcome": case.outcome, "state": case.state}
        suspect = find_model(self._models, challenge.suspect)
        verdict = self._verify(case, challenge, self._answer(name, answer), suspect, given_up)
        if given_up.is_set():
            raise CouldNotCheck("the claim was given up before it was decided")
        case = self._hand_in(challenge, verdict, given_up)
        _LOGGER.info("verdict given", extra={"fields": {"claim": case.id, "outcome": case.outcome}})
        return {"claim": case.id, "outcome": case.outcome, "state": case.state}

    def _is_settled(self, case: Case, answer: bytes) -> bool:
        """Whether the kept verdict is on this answer, or can be no better."""
        if case.state != CaseState.DECIDED:
            return False
        file = claims.verdict_file(self._database, bytes.fromhex(case.id))
        kept = Verdict.from_bytes(file, self._judge.public)
        return kept.outcome == Outcome.PROVEN or kept.proof_digest == answer

    def _answer(self, name: bytes, digest: bytes) -> bytes:
        """The file of an answer. Raises UsageError where it is not kept."""
        query = select(PROOFS.c.file).where(PROOFS.c.challenge == name, PROOFS.c.digest == digest)
        with self._database.reading() as connection:
            found = connection.execute(query).scalar()
        if found is None or hashlib.sha256(found).digest() != digest:
            raise UsageError("this answer is not kept, or is damaged")
        return bytes(found)

    def _verify(
        self, case: Case, challenge: Challenge, proof: bytes, suspect: Path,
        given_up: threading.Event,
    ) -> Verdict:  # fmt: skip
        """The verdict, of whatever outcome. Raises what another time may mend."""

        def go_on(*_: object) -> None:
            if given_up.is_set():
                raise CouldNotCheck("the claim was given up while its model was asked")

        options: dict[str, Any] = {"onnx": OnnxLimits()}
        if challenge.suspect.output:
            options["output"] = challenge.suspect.output
        try:
            return self._judge.verify(
                kept_commitment(self._database, challenge.commitment).to_bytes(), suspect,
                challenge.to_bytes(), proof, progress=go_on, trust=self._trust,
                particulars=replace(NOT_STATED, listing=case.listing), **options,
            )  # fmt: skip
        except ZkwmError as error:
            if type(error) in AGAIN or not isinstance(error.verdict, Verdict):
                raise
            return error.verdict

    def _hand_in(self, challenge: Challenge, verdict: Verdict, given_up: threading.Event) -> Case:
        """Sign a verdict, have its digest logged, and keep it, by the checks of the API."""
        name, file = challenge.digest, self._judge.sign_verdict(verdict)
        stated = state_verdict(self._judge, file).to_bytes()
        judges = (self._judge.public,)  # whom the service trusts now, it says when it logs
        checked, _ = claims.check_verdict(self._database, judges, name, file, stated)
        entry = have_logged(self._database, stated, given_up)
        return claims.decide(self._database, name, checked, file, entry)[0]


def _digest(value: object) -> bytes:
    """A digest of a payload. Raises UsageError."""
    try:
        found = bytes.fromhex(str(value))
    except ValueError:
        found = b""
    if len(found) != 32:
        raise UsageError("a job names claim and answer by their digests")
    return found
