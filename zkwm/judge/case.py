"""A case before a judge: the files presented, the findings so far, the verdict.

``Judge.verify`` drives the checks of SPEC.md 9.2 and 18.3 in their order. This module has those
that both ways of answering share; ``zkwm.judge.check_opening`` and ``zkwm.judge.check_argument``
have the others. Each step raises what fails, the recorder (``zkwm.judge.checks``) notes it, and
whatever a step learns it yields as new ``Findings``, so that a verdict can say how far it came.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from zkwm.judge.checks import ARGUMENT_TITLES, Checks
from zkwm.judge.counted import sums_of
from zkwm.judge.date_demands import require_dates
from zkwm.judge.dating import Dating, date_commitment
from zkwm.judge.particulars import NOT_STATED, CaseParticulars
from zkwm.judge.results import (
    Argued,
    Asked,
    CheckStatus,
    FirstSeen,
    TriggerResult,
)
from zkwm.judge.verdict import CheckedBy
from zkwm.suspects import Progress, Suspect, SuspectFile, open_suspect
from zkwm_protocols.argument_response import ArgumentResponse, Response, read_response
from zkwm_protocols.challenge import ArgumentChallenge, Challenge, OpeningChallenge
from zkwm_protocols.commitment import Commitment, LabelMode
from zkwm_protocols.errors import InvalidOpening, NotProven, ZkwmError
from zkwm_protocols.evidence import Evidence, assess
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.opened_words import counted_words
from zkwm_protocols.opening import Opening
from zkwm_protocols.suspect_identity import SuspectKind
from zkwm_protocols.trust import Trust


@dataclass(frozen=True)
class Request:
    """The arguments of ``Judge.verify``, which documents them, and who checks."""

    commitment: Commitment | bytes
    suspect: Suspect | str | Path
    challenge: Challenge | bytes
    proof: Response | bytes
    decoys: NDArray[np.uint8] | None = None
    images: NDArray[np.uint8] | None = None
    accept_declared_labels: bool = False
    progress: Progress | None = None
    suspect_options: dict[str, Any] = field(default_factory=dict)
    particulars: CaseParticulars = NOT_STATED
    checked_by: CheckedBy = CheckedBy.JUDGE
    trust: Trust | None = None

    def accepts_declared(self, challenge: Challenge | None) -> bool:
        """Whether declared labels are accepted: by option, or by the policy of the judge's own.

        The policy binds the judge who signed it; the public decides for itself (SPEC.md 18.7).
        """
        if self.accept_declared_labels or challenge is None:
            return self.accept_declared_labels
        return self.checked_by == CheckedBy.JUDGE and challenge.policy.accept_declared_labels


@dataclass(frozen=True)
class Findings:
    """The results of the checks so far; None or empty where they were not reached."""

    commitment: Commitment | None = None
    challenge: Challenge | None = None
    response: Response | None = None
    argued: Argued | None = None
    triggers: tuple[TriggerResult, ...] = ()
    suspect_record: tuple[dict[str, Any], ...] = ()
    evidence: Evidence | None = None
    summary: str = ""
    functions_tried: int | None = None
    asked: Asked | None = None
    first_seen: FirstSeen | None = None
    suspect_files: tuple[SuspectFile, ...] = ()
    dating: Dating | None = None


@dataclass(frozen=True)
class Case:
    """The three files of a dispute, read, signed and about each other.

    ``accept_declared_labels`` says whether declared labels count (``Request.accepts_declared``).
    ``functions_tried`` is j by the judge's ledger, and never less than the policy's.
    """

    AT_LEAST: ClassVar[str] = ""

    commitment: Commitment
    challenge: Challenge
    response: Response
    accept_declared_labels: bool
    functions_tried: int = 1

    @property
    def declared(self) -> bool:
        """Whether the owner declared the labels."""
        return self.commitment.header.label_mode == LabelMode.DECLARED

    @property
    def labels_count(self) -> bool:
        """Whether the labels may prove anything: derived, or declared and accepted."""
        return not self.declared or self.accept_declared_labels

    def weigh(self, matches: int, triggers: Sequence[TriggerResult] = ()) -> Evidence:
        """The evidence of ``matches`` triggers, or of their ranks or points."""
        header, policy = self.commitment.header, self.challenge.policy
        tried = max(policy.functions_tried, self.functions_tried)
        ranks, points = sums_of(triggers, self.challenge.statistic, header.class_count)
        return assess(
            matches,
            rank_sum=ranks,
            score_sum=points,
            blocks_used=self.challenge.block_count,
            block_count=header.block_count,
            block_size=header.block_size,
            class_count=header.class_count,
            policy=replace(policy, functions_tried=tried),
            map_bits=self.challenge.map_bits(self.commitment),
        )

    def matches(self, evidence: Evidence) -> str:
        """How many triggers, or bits of a mark, match, in words."""
        counted = counted_words(self.challenge.suspect.kind)
        return f"{self.AT_LEAST}{evidence.matches} of {evidence.trials} {counted} match"

    def summary(self, evidence: Evidence) -> str:
        """One sentence on the evidence: the reason of a verdict that reached it."""
        matches = self.matches(evidence)
        if self.declared:
            return f"{matches}, {evidence.needed_matches} are needed; the owner declared the labels"
        if evidence.rank_sum is not None:
            matches += (
                f", the ranks of their labels weigh {evidence.rank_sum.value} of "
                f"{evidence.rank_sum.largest}"
            )
        if evidence.score_sum is not None:
            total = evidence.score_sum
            matches += f", their labels have {total.value} points of {total.largest}"
        left = f"{evidence.total_bits:.2f}" if evidence.total_hundredths > 0 else "no"
        return (
            f"{matches}: {left} bits of evidence are left, {evidence.threshold_bits} are demanded"
        )


@dataclass(frozen=True)
class OpeningCase(Case):
    """A case in which blocks were opened to the judge."""

    challenge: OpeningChallenge
    response: Opening


@dataclass(frozen=True)
class ArgumentCase(Case):
    """A case in which a zero-knowledge argument was made; the matches are k*, or more."""

    AT_LEAST: ClassVar[str] = "at least "

    challenge: ArgumentChallenge
    response: ArgumentResponse

    def matches(self, evidence: Evidence) -> str:
        """How many triggers match, in words, and of what: the network is not the file."""
        return f"{super().matches(evidence)} in the integer network made from the file"


def read_case(
    checks: Checks, request: Request, judge: JudgePublic
) -> Generator[Findings, None, tuple[OpeningCase | ArgumentCase, Findings]]:
    """The checks of the three files, from ``commitment.format`` to ``response.blocks``.

    Yields what is known after each file; returns the case, and all that is known then.
    """
    with checks.group("commitment.format"):
        file = request.commitment
        commitment = file if isinstance(file, Commitment) else Commitment.from_bytes(file)
    if request.trust is not None:
        commitment = replace(commitment, authorities=request.trust.authorities)
    findings = Findings(commitment)
    yield findings
    with checks.group(
        "commitment.root", "commitment.class_names", "commitment.signature", "commitment.timestamp"
    ):
        commitment.verify()
    dating = date_commitment(checks, commitment, request.trust)
    findings = replace(findings, dating=dating)
    with checks.group("challenge.format"):
        data = request.challenge
        challenge = data if isinstance(data, Challenge) else Challenge.from_bytes(data)
    findings = replace(findings, challenge=challenge)
    if isinstance(challenge, ArgumentChallenge):
        checks.titles = ARGUMENT_TITLES
        argued = Argued(challenge.network, challenge.least_matches)
        findings = replace(findings, argued=argued)
    yield findings
    _check_challenge(checks, challenge, commitment, judge)
    require_dates(checks, challenge, dating)
    with checks.group("response.format"):
        proof = request.proof
        response = read_response(proof) if isinstance(proof, bytes) else proof
    findings = replace(findings, response=response)
    yield findings
    with checks.group("response.signature"):
        response.verify_signatures(commitment.header)
    with checks.group("response.challenge", "response.blocks"):
        response.verify_against(commitment, challenge)
        case = _pair(commitment, challenge, response, request.accepts_declared(challenge))
    return case, findings


@contextmanager
def pinned_suspect(checks: Checks, case: Case, request: Request) -> Iterator[Suspect]:
    """The suspect, open and compared with the challenge (check ``challenge.suspect``).

    It is closed at the end if it was opened here.
    """
    with checks.group("challenge.suspect"):
        suspect = _open(request, case.challenge)
    try:
        with checks.group("challenge.suspect"):
            _require_pinned(suspect, case)
            suspect.draw_probes(case.challenge.nonce)
        yield suspect
    finally:
        if suspect is not request.suspect:
            suspect.close()


def record_labels(checks: Checks, check: str, case: Case) -> None:
    """Record as ``check`` whether the labels count; ``require_labels`` decides on it later."""
    if not case.declared:
        checks.set(check, CheckStatus.PASSED, "derived from the commitment's digest")
    elif case.labels_count:
        checks.set(
            check, CheckStatus.PASSED, "declared by the owner, accepted by the judge's policy"
        )
    else:
        checks.set(check, CheckStatus.FAILED, "declared by the owner, and not accepted")


def require_labels(checks: Checks, check: str, case: Case, evidence: Evidence) -> None:
    """Raise NotProven (as ``check``) where the owner declared labels that do not count."""
    with checks.group(check):
        if not case.labels_count:
            raise NotProven(
                f"{case.matches(evidence)}, but the owner chose their labels, "
                "and the judge does not accept declared labels",
                hint="declared labels prove little: adversarial images would match as well "
                "(`accept_declared_labels=True` accepts them all the same)",
                check=check,
            )


def _check_challenge(
    checks: Checks, challenge: Challenge, commitment: Commitment, judge: JudgePublic
) -> None:
    """The checks of the challenge: signature, this judge's own, fits the commitment."""
    with checks.group("challenge.signature"):
        challenge.verify_signature()
    with checks.group("challenge.judge"):
        if challenge.judge != judge:
            raise InvalidOpening(
                "the challenge was issued by another judge",
                hint="a response convinces only the judge whose challenge it answers: issue "
                "your own challenge",
                check="challenge.judge",
            )
    with checks.group("challenge.commitment", "challenge.class_map", "challenge.reachable"):
        challenge.verify_against(commitment)


def _pair(
    commitment: Commitment, challenge: Challenge, response: Response, accept: bool
) -> OpeningCase | ArgumentCase:
    """The case of a response that answers the challenge. Raises InvalidOpening."""
    if isinstance(challenge, OpeningChallenge) and isinstance(response, Opening):
        return OpeningCase(commitment, challenge, response, accept)
    if isinstance(challenge, ArgumentChallenge) and isinstance(response, ArgumentResponse):
        return ArgumentCase(commitment, challenge, response, accept)
    # verify_against refuses every other pair, and every Refusal, before this.
    raise InvalidOpening("the response is of another mode", check="response.challenge")


def _open(request: Request, challenge: Challenge) -> Suspect:
    """The suspect of the request. Errors are those of ``challenge.suspect``."""
    model, pinned = request.suspect, challenge.suspect
    if not isinstance(model, str | Path):  # an open suspect already
        return model
    options: dict[str, Any] = {"output": pinned.output, **request.suspect_options}
    if pinned.kind == SuspectKind.HTTP:  # the challenge says how it is asked
        names = challenge.suspect_classes if pinned.answers_by_name else None
        options = {"adapter": pinned.adapter, "output_names": names, **options}
    try:
        return open_suspect(model, shape=pinned.shape, outputs=pinned.outputs, **options)
    except ZkwmError as error:
        error.check = "challenge.suspect"  # it could not even be compared
        raise


def _require_pinned(suspect: Suspect, case: Case) -> None:
    """Raise InvalidOpening unless the suspect is the one that the challenge names."""
    identity, pinned = suspect.identity, case.challenge.suspect
    if (identity.kind, identity.digest) != (pinned.kind, pinned.digest):
        raise InvalidOpening(
            f"the model at hand ({identity.kind} {identity.digest.hex()[:16]}) is not the "
            f"one that the challenge names ({pinned.kind} {pinned.digest.hex()[:16]})",
            hint="give the very file or address that the challenge was made for",
            check="challenge.suspect",
        )
    if (identity.outputs, identity.shape) != (pinned.outputs, pinned.shape):
        raise InvalidOpening(
            "the model at hand has other outputs or takes other images than the challenge says",
            check="challenge.suspect",
        )
    if (identity.output, identity.adapter) != (pinned.output, pinned.adapter):
        raise InvalidOpening(
            f"the output {identity.output!r} of the model at hand is asked, or its protocol "
            f"{identity.adapter!r}, and the challenge names {pinned.output!r} and "
            f"{pinned.adapter!r}",
            hint="ask the very output that the challenge was made for",
            check="challenge.suspect",
        )
    if identity.template != pinned.template:
        raise InvalidOpening(
            "the endpoint is asked by another template than the challenge's",
            hint="give the very file that the challenge was made with (`template`)",
            check="challenge.suspect",
        )
    suspect.check_output_names(case.challenge.suspect_classes)
    suspect.check_account(pinned.account)
    suspect.check_committed(case.commitment.header)
    suspect.check_preprocessing(case.challenge.preprocessing)
