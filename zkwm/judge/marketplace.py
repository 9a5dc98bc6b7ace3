"""A marketplace: a judge who keeps commitments, challenges and verdicts between cases.

The judge's ledger counts for each commitment how many functions were tried (SPEC.md 8.3), and knows
which blocks were opened: a marketplace excludes them from later challenges. This is an API over a
folder, without a server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.files import read_limited, write_atomic
from zkwm.judge.judge import Judge
from zkwm.judge.ledger import JudgeLedger
from zkwm.judge.results import CheckStatus
from zkwm.judge.task_accuracy import TaskData
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.locks import FileLock, file_lock
from zkwm.quantizer.network_agreement import DRAWN
from zkwm.suspects import Suspect
from zkwm_protocols import challenge as challenges
from zkwm_protocols import commitment as commitments
from zkwm_protocols.argument_response import Response
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError, ZkwmError
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import Statistic
from zkwm_protocols.suspect_identity import Preprocessing

_VERDICT_LIMIT = 64 * 2**20
_WAIT_SECONDS = 60.0


class Marketplace:
    """A folder of commitments, challenges and verdicts, and the judge who issues and checks them.

    Layout: ``commitments/<D>``, ``challenges/<digest>`` and ``verdicts/<challenge digest>.json``,
    all digests in hexadecimal. What was tried and opened stands in the judge's ledger; that of a
    judge without a key file is kept in the folder, as ``ledger``. Several processes may use one
    folder. Raises UsageError for a folder that cannot be made.
    """

    def __init__(self, folder: str | Path, judge: Judge, policy: Policy | None = None) -> None:
        self._folder = Path(folder)
        self._policy = policy or Policy()
        try:
            for name in ("commitments", "challenges", "verdicts"):
                (self._folder / name).mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a usable file name"
            raise UsageError(f"cannot keep a marketplace in {folder}: {reason}") from None
        if judge.ledger.path is None:
            judge = judge.with_ledger(JudgeLedger(self._folder / "ledger"))
        self._judge = judge

    def register(self, commitment: Commitment) -> str:
        """Check and keep a commitment, and when it was first seen; return its digest in hex.

        Registering it again changes nothing. Raises what ``Commitment.verify`` raises; then nothing
        is kept.
        """
        commitment.verify()
        name = commitment.digest.hex()
        path = self._folder / "commitments" / name
        if not path.exists():
            write_atomic(path, commitment.to_bytes(), overwrite=True)
        self._judge.ledger.see_commitment(commitment.digest)
        return name

    def commitment(self, name: str) -> Commitment:
        """The registered commitment with this digest. Raises UsageError when there is none."""
        path = self._path("commitments", name)
        return Commitment.from_bytes(read_limited(path, commitments.FILE_LIMIT))

    def challenge(
        self,
        name: str,
        suspect: Suspect,
        *,
        reveal: int | tuple[int, ...] | None = None,
        purpose: str = "",
        zero_knowledge: bool = False,
        preprocessing: Preprocessing | None = None,
        class_map: tuple[int, ...] | None = None,
        suspect_classes: tuple[str, ...] | None = None,
        statistic: str = Statistic.MATCHES,
        test_data: TaskData | None = None,
    ) -> Challenge:
        """Challenge the owner of a registered commitment about a model.

        The number of functions tried comes from the judge's ledger, which counts those of every
        challenge that was answered. Blocks that were opened in an earlier case stay out. The
        suspect's file is read, and the suspect asked, without a lock: that holds up nobody.

        Args:
            name: the commitment's digest in hexadecimal.
            suspect: the model that the challenge is about.
            reveal: the number of triggers, in whole blocks, or blocks to be weighed again, as for
                ``Judge.challenge``. By default one block, or, for an argument, all that were not
                opened here.
            purpose: what the challenge is for.
            zero_knowledge: ask for an argument, which opens nothing.
            preprocessing, class_map, suspect_classes: those of ``Judge.challenge``.
            statistic: ``matches``, or ``ranks``, which an argument does not have.
            test_data: that of ``Judge.challenge``: labeled images of the suspect's task. For an
                argument, suspect and integer network are compared on the first 200 of them too.

        Raises:
            UsageError: there is no such commitment, or the threshold cannot be reached.
            Also what asking the suspect raises.
        """
        commitment = self.commitment(name)
        size = commitment.header.block_size
        opened = set(self._judge.ledger.opened_blocks(commitment.digest))
        if isinstance(reveal, tuple):
            opened -= set(reveal)
        options: dict[str, Any] = {
            "purpose": purpose,
            "policy": self._policy,
            "excluded_blocks": tuple(sorted(opened)),
            "preprocessing": preprocessing,
            "class_map": class_map,
            "suspect_classes": suspect_classes,
            "test_data": test_data,
        }
        challenge: Challenge
        if not zero_knowledge:
            challenge = self._judge.challenge(
                commitment, suspect, reveal=reveal or size, statistic=statistic, **options
            )
        elif statistic != Statistic.MATCHES:
            raise UsageError("an argument shows matches", hint="ask for an opening to count ranks")
        else:
            if isinstance(reveal, tuple):
                raise UsageError("an argument opens nothing that could be weighed again")
            blocks = None if reveal is None else _blocks(reveal, size)
            images = None if test_data is None else test_data.images.images[:DRAWN]
            challenge = self._judge.challenge_argument(
                commitment, suspect, blocks=blocks, images=images, **options
            )
        write_atomic(self._folder / "challenges" / challenge.digest.hex(), challenge.to_bytes())
        return challenge

    def settle(
        self,
        suspect: Suspect,
        challenge: Challenge,
        proof: Response | bytes,
        *,
        decoys: NDArray[np.uint8] | None = None,
        images: NDArray[np.uint8] | None = None,
    ) -> Verdict:
        """Check the owner's response; keep the verdict, whatever it is; return it if proven.

        ``decoys`` and ``images``, uint8 (n, channels, height, width), are those of
        ``Judge.verify``: natural images asked beside triggers, and images of the suspect's task on
        which suspect and integer network are compared.

        What was opened stays excluded for good, and a kept verdict is replaced only by one whose
        checks came at least as far: a later response, perhaps a stranger's, takes nothing back.
        Settling again asks the suspect only for answers that it did not give: first ones stand.
        Raises UsageError for a challenge that this marketplace did not issue, and what
        ``Judge.verify`` raises, with its verdict.
        """
        path = self._path("challenges", challenge.digest.hex())
        issued = Challenge.from_bytes(read_limited(path, challenges.FILE_LIMIT))
        commitment = self.commitment(issued.commitment.hex())
        try:
            verdict = self._judge.verify(
                commitment, suspect, issued, proof, decoys=decoys, images=images
            )
        except ZkwmError as error:
            if error.verdict is not None:
                self._keep(issued, error.verdict)
            raise
        self._keep(issued, verdict)
        return verdict

    def verdicts(self) -> dict[str, dict[str, Any]]:
        """Every verdict kept, as JSON values, by the challenge's digest in hexadecimal."""
        return {
            path.stem: _read_json(path) for path in sorted(self._folder.glob("verdicts/*.json"))
        }

    def _keep(self, challenge: Challenge, verdict: Verdict) -> None:
        """Keep the verdict, unless one that came further is kept."""
        value = verdict.to_json()
        path = self._folder / "verdicts" / f"{challenge.digest.hex()}.json"
        with self._lock() as held:
            if path.exists() and _progress(value) < _progress(_read_json(path)):
                return
            if held.lost:
                raise self._unusable("its lock file was removed while it was in use")
            write_atomic(path, json.dumps(value, indent=1).encode(), overwrite=True)

    def _path(self, kind: str, name: str) -> Path:
        """The file of a commitment or challenge. Raises UsageError when there is none."""
        # A digest in hexadecimal: nothing that could name a file elsewhere.
        digest = len(name) == 64 and all(letter in "0123456789abcdef" for letter in name)
        path = self._folder / kind / name
        if not digest or not path.is_file():
            raise UsageError(f"this marketplace has no such {kind[:-1]}: {name[:80]!r}")
        return path

    @contextmanager
    def _lock(self) -> Iterator[FileLock]:
        """Hold the folder's lock. Raises CouldNotCheck."""
        with ExitStack() as stack:
            try:
                held = stack.enter_context(
                    file_lock(self._folder / ".lock", wait_seconds=_WAIT_SECONDS)
                )
            except OSError as error:
                raise self._unusable(error.strerror or str(error)) from None
            yield held

    def _unusable(self, reason: str) -> CouldNotCheck:
        """The error for a folder whose lock cannot be had."""
        return CouldNotCheck(
            f"cannot lock the marketplace in {self._folder}: {reason}",
            hint="keep it on a local disk, away from cleaners and sync services, and settle again: "
            "first answers are kept",
        )


def _blocks(triggers: int, size: int) -> int:
    """The number of blocks that hold these triggers. Raises UsageError for a part of one."""
    if triggers < 1 or triggers % size:
        raise UsageError(f"{triggers} triggers are not a number of whole blocks of {size}")
    return triggers // size


def _reached(verdict: dict[str, Any], name: str) -> bool:
    """Whether a check was reached; ``opening.leaves`` means that a signed opening was read."""
    return any(
        check["id"] == name and check["status"] != CheckStatus.SKIPPED
        for check in verdict["checks"]
    )


def _progress(verdict: dict[str, Any]) -> int:
    """How far the checks came: nothing was opened, opened, or decided; proven is the furthest."""
    decided = {Outcome.NOT_PROVEN: 1, Outcome.PROVEN: 2}.get(verdict["outcome"], 0)
    return _reached(verdict, "opening.leaves") + decided


def _read_json(path: Path) -> dict[str, Any]:
    """A kept verdict as JSON values. Raises Malformed."""
    try:
        value = json.loads(read_limited(path, _VERDICT_LIMIT))
    except (ValueError, RecursionError):
        value = None
    if not _is_verdict(value):
        raise Malformed(f"{path} is not a verdict", hint="put its last copy back, or remove it")
    verdict: dict[str, Any] = value
    return verdict


def _is_verdict(value: object) -> bool:
    """Whether a JSON value has what is read of a kept verdict."""
    if not isinstance(value, dict) or not {"commitment", "checks", "blocks"} <= set(value):
        return False
    checks = value["checks"]
    return (
        isinstance(value.get("outcome"), str)
        and isinstance(checks, list)
        and all(isinstance(check, dict) and {"id", "status"} <= set(check) for check in checks)
    )
