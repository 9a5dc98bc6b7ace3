"""One case: the numbered checks of SPEC.md 9.2 in their order, and the verdict they end in.

Used by ``zkwm.judge`` alone. Each step raises what it finds; the recorder notes it.
"""

from __future__ import annotations

import hashlib
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.checks import FAILED, PASSED, Checks
from zkwm.models import Progress, Suspect, open_suspect
from zkwm.questioning import MATCH, NO_ANSWER, question
from zkwm.vault import JudgeKey
from zkwm.verdict import (
    COULD_NOT_CHECK,
    NOT_PROVEN,
    PROVEN,
    TRUST_MATERIAL_MISSING,
    TriggerResult,
    Verdict,
)
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import DECLARED, Commitment
from zkwm_protocols.errors import (
    InvalidOpening,
    NotProven,
    SuspectUnusable,
    TrustMaterialMissing,
    ZkwmError,
)
from zkwm_protocols.evidence import Evidence, assess
from zkwm_protocols.opening import (
    VALID,
    CheckedTrigger,
    OpenedBlock,
    Opening,
    check_leaves,
    open_sealed,
)


class Case:
    """The state of one check, from files to verdict."""

    def __init__(self, key: JudgeKey, *, accept_declared_labels: bool) -> None:
        self._key = key
        self._accept = accept_declared_labels
        self._checks = Checks()
        self._commitment: Commitment | None = None
        self._challenge: Challenge | None = None
        self._opening: Opening | None = None
        self._blocks: tuple[OpenedBlock, ...] = ()
        self._triggers: tuple[CheckedTrigger, ...] = ()
        self._results: tuple[TriggerResult, ...] = ()
        self._evidence: Evidence | None = None
        self._record: tuple[dict[str, Any], ...] = ()
        self._labels_count = True

    def read(
        self, commitment: Commitment | bytes, challenge: Challenge | bytes, proof: Opening | bytes
    ) -> None:
        """Checks 1 to 18: everything that needs no suspect. Raises the first that fails."""
        self._commitment = commitment = self._read_commitment(commitment)
        self._challenge = challenge = self._read_challenge(challenge, commitment)
        with self._checks.group("response.format"):
            opening = proof if isinstance(proof, Opening) else Opening.from_bytes(proof)
        self._opening = opening
        with self._checks.group("response.signature"):
            opening.verify_signatures(commitment.header)
        with self._checks.group("response.challenge", "response.blocks"):
            opening.verify_against(commitment, challenge)
        with self._checks.group("opening.sealed", "opening.format"):
            self._blocks = open_sealed(commitment, challenge, opening, self._key.box)
        with self._checks.group("opening.leaves"):
            self._triggers = check_leaves(commitment, self._blocks)
        bad = sum(trigger.status != VALID for trigger in self._triggers)
        self._checks.set(
            "opening.leaves",
            FAILED if bad else PASSED,
            f"{bad} of {len(self._triggers)} missing or wrong, each counted as a miss"
            if bad
            else f"{len(self._triggers)} of {len(self._triggers)}",
        )
        self._check_labels(commitment, challenge)

    def meet(self, suspect: Suspect | str | Path, options: dict[str, Any]) -> Suspect:
        """Open the suspect and compare it with the challenge (check ``challenge.suspect``)."""
        assert self._challenge is not None
        pinned = self._challenge.suspect
        with self._checks.group("challenge.suspect"):
            if isinstance(suspect, str | Path):
                try:
                    suspect = open_suspect(
                        suspect, shape=pinned.shape, outputs=pinned.outputs, **options
                    )
                except ZkwmError as error:
                    error.check = "challenge.suspect"  # it could not even be compared
                    raise
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
            suspect.check_preprocessing(self._challenge.preprocessing)
        return suspect

    def ask(
        self, suspect: Suspect, decoys: NDArray[np.uint8] | None, progress: Progress | None
    ) -> None:
        """Ask the suspect every opened trigger once, among decoys where it is remote."""
        assert self._challenge is not None
        sealed = [decoy for block in self._blocks for decoy in block.decoys]
        if sealed:
            decoys = np.stack(sealed)
        elif decoys is None:
            decoys = np.zeros((0, *self._challenge.suspect.shape), dtype=np.uint8)
        with self._checks.group("suspect.answers"):
            self._results = question(
                suspect, self._challenge, self._triggers, decoys, progress=progress
            )
            self._record = _record_of(suspect)
            self._weigh()

    def decide(self) -> None:
        """Compare the evidence with the threshold. Raises NotProven."""
        assert self._evidence is not None
        evidence = self._evidence
        with self._checks.group("evidence.threshold"):
            if not self._labels_count:
                raise NotProven(
                    f"{evidence.matches} of {evidence.trials} triggers match, but the owner chose "
                    "their labels himself, and the judge does not accept declared labels",
                    hint="declared labels prove little: adversarial images would match as well "
                    "(--accept-declared-labels accepts them all the same)",
                    check="opening.labels",
                )
            if not evidence.reached:
                raise NotProven(self._sentence(evidence), check="evidence.threshold")
        self._checks.set("evidence.threshold", PASSED, self._sentence(evidence))

    def verdict(self, error: ZkwmError | None) -> Verdict:
        """The verdict as things stand: proven without an error, else what the error says."""
        outcome = PROVEN if error is None else COULD_NOT_CHECK
        if isinstance(error, NotProven):
            outcome = NOT_PROVEN
        elif isinstance(error, TrustMaterialMissing):
            outcome = TRUST_MATERIAL_MISSING
        evidence = self._evidence
        return Verdict(
            outcome=outcome,
            reason=error.message if error is not None else self._sentence(evidence),
            hint="" if error is None else error.hint,
            checks=self._checks.all(),
            commitment_digest=None if self._commitment is None else self._commitment.digest,
            header=None if self._commitment is None else self._commitment.header,
            challenge=self._challenge,
            proof_digest=None
            if self._opening is None
            else hashlib.sha256(self._opening.to_bytes()).digest(),
            blocks=() if self._opening is None else self._opening.blocks,
            triggers=self._results,
            evidence=evidence,
            declared_labels_accepted=self._accepts_declared,
            suspect_record=self._record,
            checked=int(time.time()),
            versions={
                "zkwm": version("zkwm"),
                "python": platform.python_version(),
                "numpy": np.__version__,
                "onnxruntime": version("onnxruntime"),
            },
        )

    def _read_commitment(self, value: Commitment | bytes) -> Commitment:
        with self._checks.group("commitment.format"):
            commitment = value if isinstance(value, Commitment) else Commitment.from_bytes(value)
        self._commitment = commitment
        with self._checks.group("commitment.root", "commitment.signature", "commitment.timestamp"):
            commitment.verify()
        return commitment

    def _read_challenge(self, value: Challenge | bytes, commitment: Commitment) -> Challenge:
        with self._checks.group("challenge.format"):
            challenge = value if isinstance(value, Challenge) else Challenge.from_bytes(value)
        self._challenge = challenge
        with self._checks.group("challenge.signature"):
            challenge.verify_signature()
        with self._checks.group("challenge.judge"):
            if challenge.judge != self._key.public:
                raise InvalidOpening(
                    "the challenge was issued by another judge",
                    hint="a response convinces only the judge whose challenge it answers: issue "
                    "your own challenge",
                    check="challenge.judge",
                )
        with self._checks.group(
            "challenge.commitment", "challenge.class_map", "challenge.reachable"
        ):
            challenge.verify_against(commitment)
        return challenge

    def _check_labels(self, commitment: Commitment, challenge: Challenge) -> None:
        if commitment.header.label_mode != DECLARED:
            self._checks.set("opening.labels", PASSED, "derived from the commitment's digest")
        elif self._accept or challenge.policy.accept_declared_labels:
            self._checks.set(
                "opening.labels", PASSED, "declared by the owner, accepted by the judge's policy"
            )
        else:
            self._labels_count = False
            self._checks.set("opening.labels", FAILED, "declared by the owner, and not accepted")

    def _weigh(self) -> None:
        """Count matches. Raises SuspectUnusable where missing answers could change the verdict."""
        assert self._commitment is not None
        assert self._challenge is not None
        header, policy = self._commitment.header, self._challenge.policy
        matches = sum(result.status == MATCH for result in self._results)
        unanswered = [result for result in self._results if result.status == NO_ANSWER]
        self._evidence = assess(
            matches,
            blocks_used=self._challenge.block_count,
            block_count=header.block_count,
            block_size=header.block_size,
            class_count=header.class_count,
            policy=policy,
        )
        needed = self._evidence.needed_matches
        if (
            unanswered
            and self._labels_count
            and not self._evidence.reached
            and needed is not None
            and matches + len(unanswered) >= needed
        ):
            raise SuspectUnusable(
                f"{len(unanswered)} triggers got no answer ({_why(unanswered)}), and they "
                f"could change the verdict: {matches} match, {needed} are needed",
                hint="make the suspect answer, then verify again with the same challenge and proof",
                check="suspect.answers",
            )
        detail = f"{len(self._results) - len(unanswered)} of {len(self._results)} answered"
        self._checks.set("suspect.answers", PASSED, detail)

    @property
    def _accepts_declared(self) -> bool:
        header = None if self._commitment is None else self._commitment.header
        policy = None if self._challenge is None else self._challenge.policy
        accepted = self._accept or (policy is not None and policy.accept_declared_labels)
        return header is not None and header.label_mode == DECLARED and accepted

    def _sentence(self, evidence: Evidence | None) -> str:
        assert evidence is not None
        matches = f"{evidence.matches} of {evidence.trials} triggers match"
        assert self._commitment is not None
        if self._commitment.header.label_mode == DECLARED:
            return f"{matches}, {evidence.needed_matches} are needed; the owner declared the labels"
        return (
            f"{matches}: {evidence.total_bits:.2f} bits of evidence are left, "
            f"{evidence.threshold_bits} are demanded"
        )


def _record_of(suspect: Suspect) -> tuple[dict[str, Any], ...]:
    """What a remote suspect was asked and answered, decoys included, as JSON values."""
    return tuple(
        {
            "image": asked.image_digest.hex(),
            "output": asked.answer.output,
            "problem": asked.answer.problem,
            "attempts": asked.attempts,
            "seconds": round(asked.seconds, 3),
        }
        for asked in getattr(suspect, "records", ())
    )


def _why(unanswered: list[TriggerResult]) -> str:
    """Why the first of them that was asked got no answer."""
    asked = [result.problem for result in unanswered if not result.problem.startswith("not asked")]
    return (asked or [unanswered[0].problem])[0]
