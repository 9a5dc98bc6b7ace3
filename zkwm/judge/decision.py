"""The verdict on a case: its outcome from the error that ended it, and all that is known then."""

from __future__ import annotations

import hashlib
import platform
import time
from importlib.metadata import version

import numpy as np

from zkwm.judge.case import Findings, accepted
from zkwm.judge.checks import Checks
from zkwm.judge.verdict import CheckStatus, Outcome, Verdict
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import LabelMode
from zkwm_protocols.errors import NotProven, TrustMaterialMissing, ZkwmError
from zkwm_protocols.suspect_identity import SuspectKind


def make_verdict(
    checks: Checks, findings: Findings, error: ZkwmError | None, *, accept_declared_labels: bool
) -> Verdict:
    """The verdict on the findings: proven without an error, else what the error says.

    ``accept_declared_labels`` is the judge's own option.
    """
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
        and accepted(accept_declared_labels, findings.challenge),
        suspect_record=findings.suspect_record,
        checked=int(time.time()),
        versions=_versions(findings.challenge),
        argued=findings.argued,
        functions_tried=findings.functions_tried,
        asked=findings.asked,
        first_seen=findings.first_seen,
        class_names=_class_names(checks, findings),
    )


def _class_names(checks: Checks, findings: Findings) -> tuple[str, ...] | None:
    """The committed names, once they were found to be those of the header."""
    fitting = CheckStatus.PASSED in (
        check.status for check in checks.all() if check.id == "commitment.class_names"
    )
    return findings.commitment.class_names if findings.commitment and fitting else None


def _versions(challenge: Challenge | None) -> dict[str, str]:
    """The software that decided, and that computed the suspect's answers, by name.

    An endpoint computes its answers itself, by software that nobody here knows.
    """
    used = {"zkwm": version("zkwm"), "python": platform.python_version(), "numpy": np.__version__}
    if challenge is None:
        return used
    kind = challenge.suspect.kind
    if kind == SuspectKind.ONNX:
        used["onnxruntime"] = version("onnxruntime")
    elif kind in (SuspectKind.SAFETENSORS, SuspectKind.EXTRACTION):
        used["torch"] = version("torch")
    return used
