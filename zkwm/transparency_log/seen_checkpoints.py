"""What a client has seen of each log, kept and compared (SPEC.md 25.6).

A log that shows two trees shows them to two people. Whoever keeps every newest checkpoint and has
the next one proven consistent finds out, and holds the evidence: both, signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from zkwm.files import read_limited, write_atomic
from zkwm.locks import file_lock
from zkwm.transparency_log.tile_folder import CHECKPOINT_LIMIT
from zkwm.transparency_log.tree_key import read_checkpoint
from zkwm_protocols.errors import CouldNotCheck, InvalidLogProof
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.equivocation import Equivocation
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.tree import TreeHead, verify_consistency

Prover = Callable[[int, int], Sequence[bytes]]
"""From two sizes to a consistency proof, as the log gives it. May raise CouldNotCheck."""
SUFFIX = ".checkpoint"
EVIDENCE_SUFFIX = ".equivocation"
_LOCK_SUFFIX = ".lock"
_LOCK_SECONDS = 10.0
_MOST_COMPARED = 20


class TwoTreesError(InvalidLogProof):
    """A log has shown two trees, or does not prove that its tree only grew.

    The hint names the file that holds both checkpoints. Asking again changes nothing.
    """


class SeenCheckpoints:
    """A folder with the newest checkpoint that was seen of each log."""

    def __init__(self, folder: Path) -> None:
        """Make the folder where it is missing. Raises CouldNotCheck."""
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CouldNotCheck(f"cannot make {folder}: {error.strerror}") from None

    def newest(self, origin: str) -> bytes | None:
        """The newest checkpoint of this log that was seen; None before the first."""
        path = self._path(origin)
        return read_limited(path, CHECKPOINT_LIMIT) if path.exists() else None

    def compare(self, data: bytes, keys: tuple[VerifierKey, ...], prove: Prover) -> TreeHead:
        """Compare a checkpoint with the newest that was seen, and keep the newer one.

        Args:
            data: the checkpoint.
            keys: of the log; all of them must have signed.
            prove: asks the log for a consistency proof.

        Returns: the head of ``data``.

        Raises:
            TwoTreesError: the log has signed two trees that contradict each other; both
                checkpoints are in the file that the hint names.
            InvalidSignature, Malformed: it is no checkpoint of this log.
            CouldNotCheck: the log does not give the proof, or the folder cannot be written.
        """
        signed = read_checkpoint(data, keys)
        origin, head = signed.checkpoint.origin, signed.checkpoint.head
        for _ in range(_MOST_COMPARED):
            kept = self.newest(origin)
            if kept is not None:
                seen = read_checkpoint(kept, keys).checkpoint.head
                self._require_grown(seen, kept, signed, prove)
                if head.size <= seen.size:
                    return head
            if self._replaced(origin, kept, data):
                return head
        raise CouldNotCheck(
            f"other processes replace the checkpoint in {self._folder} again and again",
            hint="try again in a minute",
        )

    def _require_grown(
        self, seen: TreeHead, kept: bytes, signed: SignedCheckpoint, prove: Prover
    ) -> None:
        """One of two checkpoints begins with the other. Raises TwoTreesError or CouldNotCheck."""
        older, newer = sorted((seen, signed.checkpoint.head), key=lambda one: one.size)
        proof = () if older.size in (0, newer.size) else prove(older.size, newer.size)
        try:
            verify_consistency(older, newer, proof)
        except InvalidLogProof as error:
            if older.size == newer.size:
                raise self._two_trees(signed, kept) from None
            raise self._no_proof(error, kept, signed) from None

    def _replaced(self, origin: str, kept: bytes | None, data: bytes) -> bool:
        """Keep ``data`` in place of ``kept``; False where another process was first.

        The log is asked for its proof before, since no lock is held while a stranger answers.
        """
        lock = self._folder / f"{self._name(origin)}{_LOCK_SUFFIX}"
        try:
            with file_lock(lock, wait_seconds=_LOCK_SECONDS):
                if self.newest(origin) != kept:
                    return False
                write_atomic(self._path(origin), data, overwrite=True)
                return True
        except TimeoutError:
            raise CouldNotCheck(
                f"another process holds {lock}", hint="end it, or try again in a minute"
            ) from None
        except OSError as error:
            raise CouldNotCheck(f"cannot lock {lock}: {error.strerror}") from None

    def _two_trees(self, signed: SignedCheckpoint, kept: bytes) -> TwoTreesError:
        """The error for two trees of one size, with the file of the evidence."""
        size = signed.checkpoint.head.size
        path = self._folder / f"{self._name(signed.checkpoint.origin)}-{size}{EVIDENCE_SUFFIX}"
        evidence = Equivocation(SignedCheckpoint.from_bytes(kept), signed)
        write_atomic(path, evidence.to_bytes(), overwrite=True)
        return TwoTreesError(
            f"the log {signed.checkpoint.origin} has signed two different trees of size {size:,}",
            hint=f"{path} holds both checkpoints, which are the evidence against the log: tell its "
            "witnesses, and trust none of its proofs",
        )

    def _no_proof(
        self, error: InvalidLogProof, kept: bytes, signed: SignedCheckpoint
    ) -> TwoTreesError:
        """The error for a log that does not prove that it only grew."""
        origin = signed.checkpoint.origin
        path = self._folder / f"{self._name(origin)}-unproven.txt"
        write_atomic(path, kept + b"\n" + signed.to_bytes(), overwrite=True)
        return TwoTreesError(
            f"the log {origin} does not prove that it only grew: {error.message}",
            hint=f"{path} holds both checkpoints; ask the log again, and tell its witnesses if it "
            "stays so",
        )

    def _path(self, origin: str) -> Path:
        """The file of a log."""
        return self._folder / f"{self._name(origin)}{SUFFIX}"

    @staticmethod
    def _name(origin: str) -> str:
        """A file's name for an origin, which may hold any letters."""
        return hashlib.sha256(origin.encode()).hexdigest()[:32]
