"""One verification, from the files to the verdict: the judge's, or anybody's of an argument.

Both make the same checks by the same code (SPEC.md 9.2, 18.3). Anybody's has neither the judge's
ledger nor their secret keys: j is what the challenge states, and an opening stays sealed
(SPEC.md 18.7 says what such a check does not show).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkwm.judge.case import ArgumentCase, Findings, Request, read_case
from zkwm.judge.check_argument import examine_argument, require_still_reached
from zkwm.judge.checks import Checks
from zkwm.judge.decision import make_verdict
from zkwm.judge.head_start import head_start
from zkwm.judge.particulars import NOT_STATED, CaseParticulars
from zkwm.judge.verdict import CheckedBy, Verdict
from zkwm.suspects import Progress, Suspect
from zkwm_protocols.argument_response import Response
from zkwm_protocols.challenge import Challenge, OpeningChallenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import CouldNotCheck, InvalidOpening, UsageError, ZkwmError
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.trust import Trust

Examination: TypeAlias = Callable[[Checks], Iterator[Findings]]
"""Makes all checks in order, yields what is known after each step, raises what fails."""


def decide(
    request: Request,
    judge: JudgePublic,
    examine: Examination,
    keep: Callable[[Verdict], object] = lambda _: None,
) -> Verdict:
    """Make all checks; return the proven verdict, or raise the error that carries the verdict.

    Args:
        request: what is verified.
        judge: the judge whose challenge it has to answer.
        examine: the checks.
        keep: called with the verdict, whatever it is, before it is given.
    """
    checks, findings = Checks(), Findings()
    end = partial(make_verdict, checks, request=request, judge=judge)
    try:
        for known in examine(checks):
            findings = known
    except ZkwmError as error:
        error.verdict = end(findings, error)
        keep(error.verdict)
        raise
    verdict = end(findings, None)
    keep(verdict)
    return verdict


def examine_argued(
    checks: Checks, case: ArgumentCase, request: Request, findings: Findings
) -> Iterator[Findings]:
    """The checks of an argument behind those of the files; j is known."""
    with checks.group("challenge.reachable"):
        require_still_reached(case)
    yield from examine_argument(checks, case, request, findings)


def verify_argument(
    commitment: Commitment | bytes,
    suspect: Suspect | str | Path,
    challenge: Challenge | bytes,
    proof: Response | bytes,
    judge: JudgePublic,
    *,
    images: NDArray[np.uint8] | None = None,
    accept_declared_labels: bool = False,
    progress: Progress | None = None,
    particulars: CaseParticulars = NOT_STATED,
    trust: Trust | None = None,
    **suspect_options: Any,  # noqa: ANN401
) -> Verdict:
    """Check an argument without any secret; return a proven verdict (SPEC.md 18.3, 18.7).

    The checks are those of ``Judge.verify``. The verdict says ``checked_by`` = ``public``: j, the
    functions that were tried, is what the challenge states, and that nonce, class names and policy
    were chosen honestly rests on the judge alone.

    Args:
        commitment, challenge, proof: what was published, or the bytes of its file.
        suspect: an open suspect, or its location; ``suspect_options`` then go to
            ``zkwm.open_suspect``.
        judge: the public keys of the judge whom the caller trusts, known through a channel of the
            caller's: the challenge has to be signed by them.
        images (uint8, (n, channels, height, width)): of the suspect's task; suspect and integer
            network are compared on them too.
        accept_declared_labels: accept labels that the owner declared; the challenge's policy does
            not decide on that for the public.
        progress: called with the images answered so far, and those in all.
        particulars: the case as stated, which nobody checks.
        trust: whom the caller trusts to date the commitment; where the challenge names a trust
            folder, that one.

    Raises UsageError for a challenge that asks for an opening, which only the judge can check, and
    what ``Judge.verify`` raises, with its verdict.
    """
    _refuse_opening(challenge)
    request = Request(
        commitment, suspect, challenge, proof, None, images, accept_declared_labels, progress,
        suspect_options, particulars, CheckedBy.PUBLIC, trust,
    )  # fmt: skip
    return decide(request, judge, partial(_examine, request, judge))


def _examine(request: Request, judge: JudgePublic, checks: Checks) -> Iterator[Findings]:
    """The checks of an argument with what the files say."""
    case, findings = yield from read_case(checks, request, judge)
    if not isinstance(case, ArgumentCase):  # its challenge was refused before
        raise InvalidOpening("the response is of another mode", check="response.challenge")
    stated = case.challenge.policy.functions_tried
    findings = replace(findings, functions_tried=stated)
    yield findings
    case = replace(case, functions_tried=stated)
    limits = request.suspect_options.get("onnx")
    with head_start(case.commitment, request.suspect, limits, argued=True):
        yield from examine_argued(checks, case, request, findings)


def _refuse_opening(challenge: Challenge | bytes) -> None:
    """Raise UsageError for a challenge that asks for an opening."""
    if isinstance(challenge, bytes):
        try:
            challenge = Challenge.from_bytes(challenge)
        except CouldNotCheck:
            return  # a check of its own
    if isinstance(challenge, OpeningChallenge):
        raise UsageError(
            "this challenge asks for an opening, which is sealed to the judge: only they can check "
            "it",
            hint="ask the judge for their signed verdict, and check that (`Verdict.from_bytes`); "
            "the judge verifies with their secret key (`Judge.verify`)",
        )
