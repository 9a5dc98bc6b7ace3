"""The judge: issue challenges, check responses, decide (SPEC.md 6.1, 7, 8, 9 and 18).

A proven verdict is returned; every other outcome raises, with the whole verdict attached to the
error, so that "not proven" is never mistaken for "could not check". ``zkwm.report`` shows verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from zkwm.judge.case import ArgumentCase, Findings, Request, read_case
from zkwm.judge.check_opening import examine_opening
from zkwm.judge.checks import Checks
from zkwm.judge.date_demands import dated_terms
from zkwm.judge.frame import asked_blocks, frame_bits, make_frame, require_close, try_out
from zkwm.judge.head_start import head_start
from zkwm.judge.key_file import JudgeKey, create_judge_key, open_judge_key
from zkwm.judge.ledger import JudgeLedger
from zkwm.judge.particulars import NOT_STATED, CaseParticulars
from zkwm.judge.task_accuracy import TaskData
from zkwm.judge.verdict import CheckedBy, Verdict
from zkwm.judge.verification import decide, examine_argued
from zkwm.quantizer.agreement_bounds import require_comparable
from zkwm.quantizer.derive import network_digest, network_of
from zkwm.quantizer.network_agreement import Agreement
from zkwm.secret_files.encrypted import Cost
from zkwm.suspects import Progress, Suspect
from zkwm_protocols.argument_response import Response
from zkwm_protocols.challenge import ArgumentChallenge, Challenge, OpeningChallenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.dates import Published
from zkwm_protocols.errors import Malformed, UsageError
from zkwm_protocols.feasibility import fewest_matches, require_reachable
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import Statistic
from zkwm_protocols.schema import require_choice
from zkwm_protocols.suspect_identity import Preprocessing
from zkwm_protocols.trust import Trust

AnyChallenge = TypeVar("AnyChallenge", bound=Challenge)


class Judge:
    """A judge with their keys and their ledger. Make one with ``create``, ``open``, ``from_key``.

    The ledger counts the functions that were tried on each commitment and keeps the suspects'
    first answers, over all cases (``zkwm.judge.ledger``). Beside a key file ``judge.key`` it is
    ``judge.key.ledger``.
    """

    def __init__(self, key: JudgeKey, ledger: JudgeLedger | None = None) -> None:
        self._key = key
        self._ledger = ledger or JudgeLedger()

    @classmethod
    def from_key(cls, key: JudgeKey, ledger: JudgeLedger | None = None) -> Judge:
        """A judge with these keys; without a ledger it counts for itself, and forgets with it."""
        return cls(key, ledger)

    @classmethod
    def create(cls, path: str | Path, passphrase: str, *, cost: Cost | None = None) -> Judge:
        """Make keys; write ``path`` (secret, encrypted), ``path``.pub and ``path``.ledger.

        ``cost`` is the price of a guess at the passphrase (Argon2id). Raises UsageError.
        """
        return cls(create_judge_key(path, passphrase, cost=cost), JudgeLedger.beside(path))

    @classmethod
    def open(cls, path: str | Path, passphrase: str) -> Judge:
        """Open a judge's secret key file. Raises VaultUnusable, and CouldNotCheck for the ledger.

        A ledger that is missing is made: then nothing was tried before.
        """
        return cls(open_judge_key(path, passphrase), JudgeLedger.beside(path))

    @property
    def ledger(self) -> JudgeLedger:
        """What this judge asked and learned so far."""
        return self._ledger

    def with_ledger(self, ledger: JudgeLedger) -> Judge:
        """The same judge with another ledger."""
        return Judge(self._key, ledger)

    @property
    def secret_key(self) -> JudgeKey:
        """The secret keys, for a process of one's own that decides in this judge's place."""
        return self._key

    @property
    def public(self) -> JudgePublic:
        """The public keys; owners confirm their ``fingerprint()``."""
        return self._key.public

    def challenge(
        self,
        commitment: Commitment,
        suspect: Suspect,
        *,
        reveal: int | tuple[int, ...],
        purpose: str = "",
        preprocessing: Preprocessing | None = None,
        class_map: tuple[int, ...] | None = None,
        suspect_classes: tuple[str, ...] | None = None,
        policy: Policy | None = None,
        excluded_blocks: tuple[int, ...] = (),
        statistic: str = Statistic.MATCHES,
        test_data: TaskData | None = None,
        published: Published | None = None,
        trust: Trust | None = None,
    ) -> OpeningChallenge:
        """A new signed challenge to open whole blocks (SPEC.md 6.1).

        Args:
            commitment, suspect: the owner's, and the model that the challenge is about.
            reveal: the number of triggers to open, in whole blocks; or the blocks opened to this
                judge about this suspect that are weighed again, by one function more (SPEC.md 6.1).
            purpose: what the challenge is for.
            preprocessing: how pixels become the suspect's input; ``Preprocessing()`` by default.
            class_map: the suspect's output for each label; by default that of the same name where
                both name their classes, else the same number; any other is charged (SPEC.md 8.2).
            suspect_classes: the names of the suspect's outputs, taken from the suspect itself.
            policy: what the judge demands; ``Policy()`` by default.
            excluded_blocks: not to be opened; known to others before the suspect was published.
            statistic: ``matches``; by scores, stronger: ``ranks`` of the labels (SPEC.md 8.4) or
                their points, ``scores`` (8.6); of weights ``relearning`` (8.7).
            test_data: labeled images of the suspect's task, from neither party: its accuracy on
                them, fed like this, is measured and stands in challenge and verdict. Without them
                nothing tells a preprocessing that was forgotten.
            published: when the suspect was published, and how the judge knows (SPEC.md 8.5).
            trust: whom the judge trusts to date the commitment; the verdict needs the same.

        Raises:
            UsageError: no whole blocks, or too few (``challenge.reachable``; the hint has a size).
            InvalidOpening: suspect or class map do not fit the commitment.
            SuspectUnusable: the suspect cannot take such an input, its answers are none, or labels
                where scores are read, or, with test data, near chance (``suspect.answers``; the
                hint names what does better).
        """
        commitment, policy, dates = dated_terms(commitment, policy, published, trust)
        blocks, again = asked_blocks(self._ledger, commitment, suspect, reveal)
        frame = dates | make_frame(
            self.public, commitment, suspect, purpose, class_map, excluded_blocks, suspect_classes
        )
        if blocks <= commitment.header.block_count:
            require_reachable(commitment, blocks, policy, frame_bits(commitment, frame))
        preprocessing = preprocessing or Preprocessing()
        suspect.check_committed(commitment.header)
        statistic = require_choice(statistic, Statistic, "statistic")
        try_out(suspect, preprocessing, frame, test_data, statistic=statistic)
        challenge = OpeningChallenge(
            **frame,
            preprocessing=preprocessing,
            block_count=blocks,
            reopened_blocks=again,
            policy=policy,
            statistic=statistic,
        )
        return self._issue(self._priced(challenge), commitment)

    def challenge_argument(
        self,
        commitment: Commitment,
        suspect: Suspect,
        *,
        blocks: int | None = None,
        least_matches: int | None = None,
        purpose: str = "",
        preprocessing: Preprocessing | None = None,
        class_map: tuple[int, ...] | None = None,
        suspect_classes: tuple[str, ...] | None = None,
        policy: Policy | None = None,
        excluded_blocks: tuple[int, ...] = (),
        images: NDArray[np.uint8] | None = None,
        report: Callable[[tuple[Agreement, ...]], None] | None = None,
        test_data: TaskData | None = None,
        published: Published | None = None,
        trust: Trust | None = None,
    ) -> ArgumentChallenge:
        """A new signed challenge for a zero-knowledge argument, which opens nothing (SPEC.md 18.1).

        Arguments that are not listed are those of ``challenge``.

        Args:
            blocks: r, by default all blocks that are not excluded.
            least_matches: k*, by default the fewest that reach the threshold.
            images (uint8, (n, channels, height, width)): of the suspect's task, compared on too.
            report: called with the result of the comparison.

        Raises:
            UsageError: the threshold cannot be reached (``challenge.reachable``), or no argument
                is sound for so many blocks.
            Unsupported: the suspect cannot be proven about (``challenge.network``).
            SuspectUnusable: the integer network is not close enough to the suspect
                (``argument.translation``, ``argument.agreement``).
        """
        require_comparable(suspect.identity.outputs)
        commitment, policy, dates = dated_terms(commitment, policy, published, trust)
        block_count = commitment.header.block_count
        if blocks is None:
            blocks = max(1, len(set(range(block_count)) - set(excluded_blocks)))
        asked_for = least_matches is not None
        frame = dates | make_frame(
            self.public, commitment, suspect, purpose, class_map, excluded_blocks, suspect_classes
        )
        bits = frame_bits(commitment, frame)
        if least_matches is None and 1 <= blocks <= block_count:
            least_matches = fewest_matches(commitment, blocks, policy, bits)
        preprocessing = preprocessing or Preprocessing()
        try_out(suspect, preprocessing, frame, test_data)
        from zkwm_protocols.argument.cost_estimate import estimate

        network = network_of(suspect, preprocessing)
        if 1 <= blocks <= block_count:  # raises where no argument is that large
            estimate(network, blocks * commitment.header.block_size)
        challenge = ArgumentChallenge(
            **frame,
            preprocessing=preprocessing,
            block_count=blocks,
            policy=policy,
            network=network_digest(network),
            least_matches=least_matches or 1,
        )
        challenge = self._priced(challenge)
        if not asked_for and blocks <= block_count:
            fewest = fewest_matches(commitment, blocks, challenge.policy, bits)
            challenge = replace(challenge, least_matches=fewest)
        challenge.verify_against(commitment)
        require_close(challenge, network, suspect, images, report)
        return self._issue(challenge, commitment)

    def verify(
        self,
        commitment: Commitment | bytes,
        suspect: Suspect | str | Path,
        challenge: Challenge | bytes,
        proof: Response | bytes,
        *,
        decoys: NDArray[np.uint8] | None = None,
        images: NDArray[np.uint8] | None = None,
        accept_declared_labels: bool = False,
        progress: Progress | None = None,
        particulars: CaseParticulars = NOT_STATED,
        trust: Trust | None = None,
        **suspect_options: Any,  # noqa: ANN401
    ) -> Verdict:
        """Check a response of either type and decide; return a proven verdict (SPEC.md 9.2, 18.3).

        The checks, by group and in this order; the first that fails is raised:

        1. ``commitment.*``: the file, the root of its leaves, its signature, its timestamp.
        2. ``challenge.*``: the file, its signature, this judge's own, for this commitment.
        3. ``response.*``: the file, its signature, the challenge that it answers, its blocks.
        4. ``opening.*``: unsealed, well formed, the committed leaves; or ``argument.labels``.
        5. ``challenge.suspect``: the model at hand is the one that the challenge names.
        6. ``suspect.answers``; or ``challenge.network`` and the rest of ``argument.*``.
        7. ``evidence.threshold``.

        Args:
            commitment, challenge, proof: what was presented, or the bytes of its file.
            suspect: an open suspect, or its location; ``suspect_options`` then go to
                ``zkwm.open_suspect``.
            decoys (uint8, (n, channels, height, width)): natural images that the suspect is made
                for, asked beside the triggers instead of public ones; other decoys are drawn.
            images (uint8, (n, channels, height, width)): of the suspect's task; suspect and
                integer network are compared on them too, beside those that the nonce draws.
            accept_declared_labels: accept labels that the owner declared, whatever the policy.
            progress: called with the images answered so far, and those in all; then with the
                rounds of relearning, 21 at most in all (SPEC.md 8.7).
            particulars: the case as stated to the judge, which nobody checks.
            trust: whom the judge trusts to date the commitment, the challenge's own if it has one.

        Raises NotProven where all is valid and the evidence stays under the threshold,
        TrustMaterialMissing, or a CouldNotCheck; each carries the whole verdict as ``verdict``.
        """
        request = Request(
            commitment, suspect, challenge, proof, decoys, images, accept_declared_labels,
            progress, suspect_options, particulars, trust=trust,
        )  # fmt: skip
        return decide(request, self.public, partial(self._examine, request), self._keep)

    def sign_verdict(self, verdict: Verdict) -> bytes:
        """The file of a verdict of this judge's, of whatever outcome, signed (SPEC.md 10.4).

        ``Verdict.from_bytes`` reads it for whoever has the judge's public key. Images of triggers
        are not in it. Raises UsageError for a verdict that this judge did not give: another
        judge's, a public check, or one that contradicts itself.
        """
        if verdict.checked_by != CheckedBy.JUDGE or verdict.judge != self.public:
            raise UsageError(
                "a judge signs verdicts of their own, with their ledger, and no others",
                hint="verify the proof with this judge's key (Judge.verify), and sign that verdict",
            )
        signed = verdict.signed_by(self._key.signing, self.public)
        try:
            Verdict.from_bytes(signed, self.public)  # never sign what nobody could read
        except Malformed as error:
            raise UsageError(f"this verdict cannot be signed: {error.message}") from None
        return signed

    def _keep(self, verdict: Verdict) -> None:
        """Record the verdict in the ledger where it is on a valid response."""
        if verdict.functions_tried is not None and verdict.challenge and verdict.proof_digest:
            self._ledger.record_verdict(
                verdict.challenge.digest, verdict.proof_digest, verdict.outcome
            )

    def _examine(self, request: Request, checks: Checks) -> Iterator[Findings]:
        """Make the checks in order; yield what is known after each step. Raises what fails."""
        case, findings = yield from read_case(checks, request, self.public)
        # A valid answer of the owner's: from here on its function counts (SPEC.md 8.3).
        number = self._ledger.count_function(case.challenge)
        case = replace(case, functions_tried=number)
        seen = self._ledger.first_seen(case.challenge)
        findings = replace(findings, functions_tried=number, first_seen=seen)
        yield findings
        limits = request.suspect_options.get("onnx")
        argued = isinstance(case, ArgumentCase)
        with head_start(case.commitment, request.suspect, limits, argued=argued):
            if isinstance(case, ArgumentCase):
                yield from examine_argued(checks, case, request, findings)
            else:
                yield from examine_opening(checks, case, request, findings, self._key, self._ledger)

    def _priced(self, challenge: AnyChallenge) -> AnyChallenge:
        """The challenge with j as the ledger counts it, where that is more than the policy says."""
        policy = challenge.policy
        tried = max(policy.functions_tried, self._ledger.next_number(challenge))
        return replace(challenge, policy=replace(policy, functions_tried=tried))

    def _issue(self, challenge: AnyChallenge, commitment: Commitment) -> AnyChallenge:
        """The challenge, signed and kept in the ledger. Raises UsageError or InvalidOpening."""
        if challenge.block_count <= commitment.header.block_count:
            bits = challenge.map_bits(commitment)
            require_reachable(commitment, challenge.block_count, challenge.policy, bits)
        challenge.verify_against(commitment)
        signed = challenge.signed_by(self._key.signing)
        self._ledger.record_challenge(signed)
        return signed
