"""One case: the numbered checks of SPEC.md 9.2 in their order, and the verdict they end in.

What both ways of proving have in common; ``zkwm.judge.check_opening`` and
``zkwm.judge.check_argument`` examine the answer. Used by ``zkwm.judge.judge`` alone. Each step
raises what it finds; the recorder notes it.
"""

from __future__ import annotations

import hashlib
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from zkwm.judge.checks import ARGUMENT_TITLES, FAILED, PASSED, Checks
from zkwm.judge.key_file import JudgeKey
from zkwm.judge.verdict import (
    COULD_NOT_CHECK,
    NOT_PROVEN,
    PROVEN,
    TRUST_MATERIAL_MISSING,
    Argued,
    TriggerResult,
    Verdict,
)
from zkwm.suspects import Suspect, open_suspect
from zkwm_protocols.argument_response import Response, read_response
from zkwm_protocols.challenge import ARGUMENT, Challenge
from zkwm_protocols.commitment import DECLARED, Commitment
from zkwm_protocols.errors import InvalidOpening, NotProven, TrustMaterialMissing, ZkwmError
from zkwm_protocols.evidence import Evidence, assess
from zkwm_protocols.ranks import RANKS, weighted_sum


class Case:
    """The state of one check, from files to verdict."""

    def __init__(self, key: JudgeKey, *, accept_declared_labels: bool) -> None:
        self.key = key
        self.checks = Checks()
        self.results: tuple[TriggerResult, ...] = ()
        self.record: tuple[dict[str, Any], ...] = ()
        self.evidence: Evidence | None = None
        self.argued: Argued | None = None
        self.labels_count = True
        self._accept = accept_declared_labels
        self._commitment: Commitment | None = None
        self._challenge: Challenge | None = None
        self._response: Response | None = None

    @property
    def commitment(self) -> Commitment:
        """The commitment, once it is read."""
        assert self._commitment is not None
        return self._commitment

    @property
    def challenge(self) -> Challenge:
        """The challenge, once it is read."""
        assert self._challenge is not None
        return self._challenge

    @property
    def response(self) -> Response:
        """The owner's answer, once it is read."""
        assert self._response is not None
        return self._response

    def read(
        self, commitment: Commitment | bytes, challenge: Challenge | bytes, proof: Response | bytes
    ) -> None:
        """The checks of the three files as such. Raises the first that fails."""
        self._read_commitment(commitment)
        self._read_challenge(challenge)
        with self.checks.group("response.format"):
            self._response = read_response(proof) if isinstance(proof, bytes) else proof
        with self.checks.group("response.signature"):
            self.response.verify_signatures(self.commitment.header)
        with self.checks.group("response.challenge", "response.blocks"):
            self.response.verify_against(self.commitment, self.challenge)

    def meet(self, model: Suspect | str | Path, options: dict[str, Any]) -> Suspect:
        """Open the suspect and compare it with the challenge (check ``challenge.suspect``)."""
        pinned = self.challenge.suspect
        with self.checks.group("challenge.suspect"):
            suspect = self._opened(model, options)
            identity = suspect.identity
            if (identity.kind, identity.digest) != (pinned.kind, pinned.digest):
                raise InvalidOpening(
                    f"the model at hand ({identity.kind} {identity.digest.hex()[:16]}) is not the "
                    f"one that the challenge names ({pinned.kind} {pinned.digest.hex()[:16]})",
                    hint="give the very file or address that the challenge was made for",
                    check="challenge.suspect",
                )
            if (identity.outputs, identity.shape) != (pinned.outputs, pinned.shape):
                raise InvalidOpening(
                    "the model at hand has other outputs or takes other images than the challenge "
                    "says",
                    check="challenge.suspect",
                )
            suspect.check_committed(self.commitment.header)
            suspect.check_preprocessing(self.challenge.preprocessing)
        return suspect

    def _opened(self, model: Suspect | str | Path, options: dict[str, Any]) -> Suspect:
        """A suspect as it is, or the one at a location."""
        if not isinstance(model, str | Path):
            return model
        pinned = self.challenge.suspect
        try:
            return open_suspect(model, shape=pinned.shape, outputs=pinned.outputs, **options)
        except ZkwmError as error:
            error.check = "challenge.suspect"  # it could not even be compared
            raise

    def check_labels(self, check: str) -> None:
        """Record whether the labels count: derived, or declared and accepted."""
        if self.commitment.header.label_mode != DECLARED:
            self.checks.set(check, PASSED, "derived from the commitment's digest")
        elif self._accept or self.challenge.policy.accept_declared_labels:
            self.checks.set(check, PASSED, "declared by the owner, accepted by the judge's policy")
        else:
            self.labels_count = False
            self.checks.set(check, FAILED, "declared by the owner, and not accepted")

    def weigh(self, matches: int) -> Evidence:
        """The evidence of so many matches among the triggers of the challenge."""
        header = self.commitment.header
        weight = None
        if self.challenge.statistic == RANKS:
            found = [result.rank for result in self.results]
            weight = weighted_sum(found, header.class_count)
        self.evidence = assess(
            matches,
            rank_sum=weight,
            blocks_used=self.challenge.block_count,
            block_count=header.block_count,
            block_size=header.block_size,
            class_count=header.class_count,
            policy=self.challenge.policy,
        )
        return self.evidence

    def decide(self) -> None:
        """Look at the labels, and compare the evidence of an opening with the threshold.

        That of an argument reaches it, or ``challenge.reachable`` fails (SPEC.md 18.3). Raises
        NotProven, or for an argument InvalidOpening.
        """
        assert self.evidence is not None
        labels = "opening.labels" if self.argued is None else "argument.labels"
        with self.checks.group(labels):
            if not self.labels_count:
                raise NotProven(
                    f"{self._matches(self.evidence)}, but the owner chose "
                    "their labels himself, and the judge does not accept declared labels",
                    hint="declared labels prove little: adversarial images would match as well "
                    "(--accept-declared-labels accepts them all the same)",
                    check=labels,
                )
        if self.argued is not None:
            if not self.evidence.reached:
                raise InvalidOpening(
                    "the challenge demands too few matches for its threshold",
                    check="challenge.reachable",
                )
            return
        with self.checks.group("evidence.threshold"):
            if not self.evidence.reached:
                raise NotProven(self._sentence(self.evidence), check="evidence.threshold")
        self.checks.set("evidence.threshold", PASSED, self._sentence(self.evidence))

    def verdict(self, error: ZkwmError | None) -> Verdict:
        """The verdict as things stand: proven without an error, else what the error says."""
        outcome = PROVEN if error is None else COULD_NOT_CHECK
        if isinstance(error, NotProven):
            outcome = NOT_PROVEN
        elif isinstance(error, TrustMaterialMissing):
            outcome = TRUST_MATERIAL_MISSING
        response = self._response
        return Verdict(
            outcome=outcome,
            reason=error.message if error is not None else self._sentence(self.evidence),
            hint="" if error is None else error.hint,
            checks=self.checks.all(),
            commitment_digest=None if self._commitment is None else self._commitment.digest,
            header=None if self._commitment is None else self._commitment.header,
            challenge=self._challenge,
            proof_digest=None if response is None else hashlib.sha256(response.to_bytes()).digest(),
            blocks=() if response is None else response.blocks,
            triggers=self.results,
            evidence=self.evidence,
            declared_labels_accepted=self._accepts_declared,
            suspect_record=self.record,
            checked=int(time.time()),
            versions={
                "zkwm": version("zkwm"),
                "python": platform.python_version(),
                "numpy": np.__version__,
                "onnxruntime": version("onnxruntime"),
            },
            argued=self.argued,
        )

    def _read_commitment(self, value: Commitment | bytes) -> None:
        with self.checks.group("commitment.format"):
            commitment = value if isinstance(value, Commitment) else Commitment.from_bytes(value)
        self._commitment = commitment
        with self.checks.group("commitment.root", "commitment.signature", "commitment.timestamp"):
            commitment.verify()

    def _read_challenge(self, value: Challenge | bytes) -> None:
        with self.checks.group("challenge.format"):
            challenge = value if isinstance(value, Challenge) else Challenge.from_bytes(value)
        self._challenge = challenge
        if challenge.mode == ARGUMENT:
            assert challenge.network is not None
            assert challenge.least_matches is not None
            self.checks.titles = ARGUMENT_TITLES
            self.argued = Argued(challenge.network, challenge.least_matches)
        with self.checks.group("challenge.signature"):
            challenge.verify_signature()
        with self.checks.group("challenge.judge"):
            if challenge.judge != self.key.public:
                raise InvalidOpening(
                    "the challenge was issued by another judge",
                    hint="a response convinces only the judge whose challenge it answers: issue "
                    "your own challenge",
                    check="challenge.judge",
                )
        with self.checks.group(
            "challenge.commitment", "challenge.class_map", "challenge.reachable"
        ):
            challenge.verify_against(self.commitment)

    @property
    def _accepts_declared(self) -> bool:
        header = None if self._commitment is None else self._commitment.header
        policy = None if self._challenge is None else self._challenge.policy
        accepted = self._accept or (policy is not None and policy.accept_declared_labels)
        return header is not None and header.label_mode == DECLARED and accepted

    def _matches(self, evidence: Evidence) -> str:
        least = "" if self.argued is None else "at least "
        return f"{least}{evidence.matches} of {evidence.trials} triggers match"

    def _sentence(self, evidence: Evidence | None) -> str:
        assert evidence is not None
        matches = self._matches(evidence)
        if self.commitment.header.label_mode == DECLARED:
            return f"{matches}, {evidence.needed_matches} are needed; the owner declared the labels"
        if evidence.rank_sum is not None:
            matches += (
                f", the ranks of their labels weigh {evidence.rank_sum.value} of "
                f"{evidence.rank_sum.largest}"
            )
        return (
            f"{matches}: {evidence.total_bits:.2f} bits of evidence are left, "
            f"{evidence.threshold_bits} are demanded"
        )
