"""The judge: issue a challenge, check a response, ask the suspect, weigh, decide.

SPEC.md sections 6.1, 7, 8 and 9. A proven verdict is returned; every other outcome raises, with the
whole verdict attached to the error, so that "not proven" is never mistaken for "could not check".
Showing a verdict is done in ``zkwm.report``.
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.case import Case
from zkwm.models import Progress, Suspect
from zkwm.vault import JudgeKey, create_judge_key, open_judge_key
from zkwm.verdict import Verdict
from zkwm_protocols.challenge import NONCE_BYTES, Challenge, require_reachable
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import UsageError, ZkwmError
from zkwm_protocols.evidence import Policy
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.opening import Opening
from zkwm_protocols.suspect import Preprocessing


class Judge:
    """A judge with his keys. Make one with ``create`` or ``open``."""

    def __init__(self, key: JudgeKey) -> None:
        self._key = key

    @classmethod
    def create(cls, path: str | Path, passphrase: str) -> Judge:
        """Make keys; write ``path`` (secret, encrypted) and ``path``.pub. Raises UsageError."""
        return cls(create_judge_key(path, passphrase))

    @classmethod
    def open(cls, path: str | Path, passphrase: str) -> Judge:
        """Open a judge's secret key file. Raises VaultUnusable."""
        return cls(open_judge_key(path, passphrase))

    @property
    def public(self) -> JudgePublic:
        """The public keys; owners confirm their ``fingerprint()``."""
        return self._key.public

    def challenge(
        self,
        commitment: Commitment,
        suspect: Suspect,
        *,
        reveal: int,
        purpose: str = "",
        preprocessing: Preprocessing | None = None,
        class_map: tuple[int, ...] | None = None,
        policy: Policy | None = None,
        excluded_blocks: tuple[int, ...] = (),
    ) -> Challenge:
        """A new signed challenge to open ``reveal`` triggers, whole blocks (SPEC.md 6.1).

        ``class_map`` gives the suspect's output for each label (default: the same number);
        ``excluded_blocks`` may not be opened: those known to have been opened before the suspect
        was published. Raises UsageError, naming the smallest size that can, when ``reveal`` cannot
        reach the threshold even with all matches.
        """
        commitment.verify()
        header = commitment.header
        policy = policy or Policy()
        preprocessing = preprocessing or Preprocessing()
        if reveal < 1 or reveal % header.block_size:
            raise UsageError(
                f"triggers are revealed in whole blocks of {header.block_size}, not {reveal}",
                hint=f"reveal {max(1, round(reveal / header.block_size)) * header.block_size}",
            )
        if class_map is None:
            class_map = tuple(range(header.class_count))
        blocks = reveal // header.block_size
        if blocks <= header.block_count:
            require_reachable(commitment, blocks, policy)
        suspect.check_preprocessing(preprocessing)
        challenge = Challenge(
            commitment=commitment.digest,
            suspect=suspect.identity,
            preprocessing=preprocessing,
            class_map=class_map,
            judge=self.public,
            nonce=secrets.token_bytes(NONCE_BYTES),
            block_count=blocks,
            excluded_blocks=tuple(sorted(set(excluded_blocks))),
            purpose=purpose,
            issued=int(time.time()),
            policy=policy,
        )
        challenge.verify_against(commitment)
        return challenge.signed_by(self._key.signing)

    def verify(
        self,
        commitment: Commitment | bytes,
        suspect: Suspect | str | Path,
        challenge: Challenge | bytes,
        proof: Opening | bytes,
        *,
        decoys: NDArray[np.uint8] | None = None,
        accept_declared_labels: bool = False,
        progress: Progress | None = None,
        **suspect_options: Any,  # noqa: ANN401
    ) -> Verdict:
        """Check a response and decide (SPEC.md 9.2). Returns a proven verdict.

        Files may be given as their bytes. ``suspect`` is an open suspect, or where to find it
        (then ``suspect_options`` go to ``zkwm.open_suspect``). ``decoys`` are the judge's own
        images, used with a remote suspect when the openings carry none.

        Raises NotProven when all is valid and the evidence stays under the threshold,
        TrustMaterialMissing, or a CouldNotCheck for everything else; each with ``.verdict``.
        """
        case = Case(self._key, accept_declared_labels=accept_declared_labels)
        try:
            case.read(commitment, challenge, proof)
            model = case.meet(suspect, suspect_options)
            try:
                case.ask(model, decoys, progress)
            finally:
                if model is not suspect:
                    model.close()
            case.decide()
        except ZkwmError as error:
            error.verdict = case.verdict(error)
            raise
        return case.verdict(None)
