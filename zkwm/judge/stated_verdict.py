"""A judge's statement for a log that they gave a verdict, by its SHA-256 (SPEC.md 23.12)."""

from __future__ import annotations

import hashlib

from zkwm.judge.judge import Judge
from zkwm.judge.verdict import Verdict
from zkwm_protocols.cose.contents import VerdictStatement
from zkwm_protocols.cose.statement import SignedStatement, sign_statement
from zkwm_protocols.errors import UsageError


def state_verdict(judge: Judge, file: bytes) -> SignedStatement:
    """State that the judge gave this verdict.

    Args:
        judge: with their secret keys.
        file: the verdict's file, as they signed it.

    Raises UsageError for a verdict without a commitment, and what ``Verdict.from_bytes`` raises for
    a file that is none, or another judge's.
    """
    verdict = Verdict.from_bytes(file, judge.public)
    if verdict.commitment_digest is None:
        raise UsageError(
            "this verdict is about no commitment that could be read, so that nothing can be stated"
        )
    content = VerdictStatement(verdict.commitment_digest, hashlib.sha256(file).digest())
    return sign_statement(content, judge.secret_key.signing)
