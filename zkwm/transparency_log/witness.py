"""A witness: cosigns the trees of logs, each of which begins with the one before (SPEC.md 25.5).

By C2SP tlog-witness. What was cosigned is kept durably before the cosignature leaves, and of two
requests at once only one goes on from a tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zkwm.transparency_log.tree_key import TreeKey
from zkwm.transparency_log.witness_state import WitnessState
from zkwm_protocols.errors import InvalidSignature, Malformed
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.tree import TreeHead
from zkwm_protocols.transparency.witness import (
    SIZE_TYPE,
    AddCheckpoint,
    Status,
    WitnessRefusedError,
    write_answer,
)

TEXT_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class WitnessAnswer:
    """What a witness answers: an HTTP status, a text and its type."""

    status: int
    text: str
    media_type: str = TEXT_TYPE


class Witness:
    """The keys of a witness, the logs that it knows, and what it has seen.

    Args:
        key: of the witness.
        logs: of each origin the keys, all of which must have signed.
        state: the trees that were cosigned.
    """

    def __init__(
        self, key: TreeKey, logs: Mapping[str, tuple[VerifierKey, ...]], state: WitnessState
    ) -> None:
        self._key = key
        self._logs = logs
        self._state = state

    def answer(self, body: bytes) -> WitnessAnswer:
        """Answer a request to cosign. Raises CouldNotCheck where the state cannot be kept."""
        try:
            asked = AddCheckpoint.from_bytes(body)
        except Malformed as error:
            return WitnessAnswer(Status.BAD_REQUEST, f"{error.message}\n")
        checkpoint = asked.checkpoint.checkpoint
        keys = self._logs.get(checkpoint.origin, ())
        if keys and not _is_signed(asked.checkpoint, keys):
            return WitnessAnswer(Status.UNTRUSTED_KEY, "not all keys of the log signed it\n")
        seen = self._state.head(checkpoint.origin)
        if keys and seen.size == checkpoint.head.size and seen.root != checkpoint.head.root:
            self._state.keep_conflict(checkpoint.origin, asked.checkpoint.to_bytes())
            return _conflict(seen)
        try:
            asked.require_acceptable(keys, seen)
        except WitnessRefusedError as error:
            conflict = error.status is Status.OTHER_SIZE
            kind = SIZE_TYPE if conflict else TEXT_TYPE
            return WitnessAnswer(error.status, error.body.decode(), kind)
        if not self._state.advance(
            checkpoint.origin, seen, checkpoint.head, asked.checkpoint.to_bytes()
        ):
            return _conflict(self._state.head(checkpoint.origin))
        return WitnessAnswer(Status.COSIGNED, write_answer(self._key.lines(checkpoint)).decode())


def _is_signed(signed: SignedCheckpoint, keys: tuple[VerifierKey, ...]) -> bool:
    """Whether all keys of the log signed."""
    try:
        return all(signed.signed_by(key) is not None for key in keys)
    except InvalidSignature:
        return False


def _conflict(seen: TreeHead) -> WitnessAnswer:
    """Another tree was cosigned last: its size."""
    return WitnessAnswer(Status.OTHER_SIZE, f"{seen.size}\n", SIZE_TYPE)
