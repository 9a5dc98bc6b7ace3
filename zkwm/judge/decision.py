"""The verdict on a case: its outcome from the error that ended it, and all that is known then."""

from __future__ import annotations

import hashlib
import time

from zkwm.judge.case import Findings, Request
from zkwm.judge.checks import Checks
from zkwm.judge.particulars import FileDigest, FileRole, file_name
from zkwm.judge.results import CheckStatus
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.judge.versions import used_versions
from zkwm_protocols.commitment import LabelMode
from zkwm_protocols.errors import NotProven, TrustMaterialMissing, ZkwmError
from zkwm_protocols.keys import JudgePublic


def make_verdict(
    checks: Checks,
    findings: Findings,
    error: ZkwmError | None,
    *,
    request: Request,
    judge: JudgePublic,
) -> Verdict:
    """The verdict on the findings: proven without an error, else what the error says."""
    outcome = Outcome.PROVEN if error is None else Outcome.COULD_NOT_CHECK
    if isinstance(error, NotProven):
        outcome = Outcome.NOT_PROVEN
    elif isinstance(error, TrustMaterialMissing):
        outcome = Outcome.TRUST_MATERIAL_MISSING
    response = findings.response
    header = None if findings.commitment is None else findings.commitment.header
    return Verdict(
        outcome=outcome,
        reason=findings.summary if error is None else error.message,
        hint="" if error is None else error.hint,
        checks=checks.all(),
        commitment_digest=None if header is None else header.digest,
        header=header,
        challenge=findings.challenge,
        proof_digest=None if response is None else hashlib.sha256(response.to_bytes()).digest(),
        blocks=() if response is None else response.blocks,
        triggers=findings.triggers,
        evidence=findings.evidence,
        declared_labels_accepted=header is not None
        and header.label_mode == LabelMode.DECLARED
        and request.accepts_declared(findings.challenge),
        suspect_record=findings.suspect_record,
        checked=int(time.time()),
        versions=used_versions(findings.challenge),
        argued=findings.argued,
        functions_tried=findings.functions_tried,
        asked=findings.asked,
        first_seen=findings.first_seen,
        dating=findings.dating,
        class_names=_class_names(checks, findings),
        particulars=request.particulars,
        files=_files(request, findings, judge),
        checked_by=request.checked_by,
        judge=judge,
    )


def _class_names(checks: Checks, findings: Findings) -> tuple[str, ...] | None:
    """The committed names, once they were found to be those of the header."""
    fitting = CheckStatus.PASSED in (
        check.status for check in checks.all() if check.id == "commitment.class_names"
    )
    return findings.commitment.class_names if findings.commitment and fitting else None


def _files(request: Request, findings: Findings, judge: JudgePublic) -> tuple[FileDigest, ...]:
    """The files of the case: the bytes that were given, or those that the objects are written as.

    The suspect's are known once it was opened; an endpoint has none.
    """
    given = (
        (FileRole.COMMITMENT, request.commitment),
        (FileRole.CHALLENGE, request.challenge),
        (FileRole.PROOF, request.proof),
        (FileRole.JUDGE_PUBLIC, judge),
    )
    return (
        *(
            FileDigest.of(role, "", file if isinstance(file, bytes) else file.to_bytes())
            for role, file in given
        ),
        *(
            FileDigest(FileRole.SUSPECT, file_name(part.name), part.digest, part.size)
            for part in findings.suspect_files
        ),
    )
