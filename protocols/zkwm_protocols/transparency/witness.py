"""What log and witness send each other (C2SP tlog-witness, add-checkpoint), as bytes.

A witness keeps one head for each log. ``AddCheckpoint.require_acceptable`` is all that it checks
before it replaces that head and cosigns; the error that it raises has the protocol's answer.
SPEC.md 23.7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from zkwm_protocols.errors import InvalidLogProof, InvalidSignature, Malformed
from zkwm_protocols.merkle import EMPTY_ROOT
from zkwm_protocols.schema import require_bytes, require_integer
from zkwm_protocols.transparency.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    read_decimal,
    verify_line,
)
from zkwm_protocols.transparency.note import (
    NOTE_LIMIT,
    NoteSignature,
    decode_text,
    from_base64,
    read_signature_lines,
    to_base64,
)
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.tree import (
    HASH_BYTES,
    MAXIMUM_PROOF,
    MAXIMUM_SIZE,
    TreeHead,
    verify_consistency,
)

REQUEST_LIMIT = NOTE_LIMIT + 8 * 1024
SIZE_TYPE = "text/x.tlog.size"
"""The media type of the answer 409."""
EMPTY_TREE = TreeHead(0, EMPTY_ROOT)
"""What a witness knows of a log that it never cosigned."""


class Status(IntEnum):
    """Answers of a witness, as HTTP numbers them."""

    COSIGNED = 200
    BAD_REQUEST = 400
    UNTRUSTED_KEY = 403
    UNKNOWN_LOG = 404
    OTHER_SIZE = 409
    INCONSISTENT = 422


class WitnessRefusedError(InvalidLogProof):
    """A witness does not cosign.

    ``status`` is its answer, ``body`` what it sends with it: for 409 the size that it knows.
    """

    def __init__(self, status: Status, message: str, *, size: int = 0) -> None:
        super().__init__(message)
        self.status = status
        text = str(size) if status is Status.OTHER_SIZE else message
        self.body = f"{text}\n".encode()


@dataclass(frozen=True)
class AddCheckpoint:
    """A request to cosign: the size that the witness knows, a proof from there, a checkpoint.

    Raises Malformed for what the format does not hold.
    """

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: SignedCheckpoint

    def __post_init__(self) -> None:
        require_integer(self.old_size, MAXIMUM_SIZE)
        if len(self.proof) > MAXIMUM_PROOF:
            raise Malformed(f"a consistency proof has at most {MAXIMUM_PROOF} hashes")
        for one in self.proof:
            require_bytes(one, HASH_BYTES)

    def to_bytes(self) -> bytes:
        """The body of the request."""
        lines = [f"old {self.old_size}", *(to_base64(one) for one in self.proof), "", ""]
        return "\n".join(lines).encode() + self.checkpoint.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> AddCheckpoint:
        """Read ``to_bytes``. Raises Malformed for any other spelling: the answer is 400."""
        head, empty, note = decode_text(data, REQUEST_LIMIT).partition("\n\n")
        old, *proof = head.split("\n")
        if not empty or not old.startswith("old "):
            raise Malformed("a request to a witness is 'old SIZE', a proof, and a checkpoint")
        if len(proof) > MAXIMUM_PROOF:
            raise Malformed(f"a consistency proof has at most {MAXIMUM_PROOF} hashes")
        return cls(
            read_decimal(old.removeprefix("old ")),
            tuple(from_base64(line) for line in proof),
            SignedCheckpoint.from_bytes(note.encode()),
        )

    def require_acceptable(self, keys: Sequence[VerifierKey], known: TreeHead) -> None:
        """Return only if a witness may cosign, and put this head in the place of ``known``.

        Between reading ``known`` and replacing it nobody else may replace it.

        Args:
            keys: those that the witness trusts for this origin; none for a log it does not know.
            known: the head that the witness cosigned last for this origin, or ``EMPTY_TREE``.

        Raises WitnessRefusedError, with the answer of the protocol.
        """
        new = self.checkpoint.checkpoint.head
        self._require_signature(keys)
        if self.old_size > new.size:
            raise WitnessRefusedError(Status.BAD_REQUEST, "the old size is above the new one")
        if self.old_size != known.size:
            raise WitnessRefusedError(
                Status.OTHER_SIZE, "the witness knows another size", size=known.size
            )
        try:
            verify_consistency(known, new, self.proof)
        except (InvalidLogProof, Malformed) as error:
            raise WitnessRefusedError(Status.INCONSISTENT, error.message) from None

    def _require_signature(self, keys: Sequence[VerifierKey]) -> None:
        """The log signed it: 404 without a key for its origin, 403 without its signature."""
        if not keys:
            raise WitnessRefusedError(Status.UNKNOWN_LOG, "the witness does not know this log")
        try:
            found = [self.checkpoint.signed_by(key) for key in keys]
        except InvalidSignature as error:
            raise WitnessRefusedError(Status.UNTRUSTED_KEY, error.message) from None
        if not any(found):
            raise WitnessRefusedError(Status.UNTRUSTED_KEY, "no key of this log signed it")


def write_answer(cosignatures: Sequence[NoteSignature]) -> bytes:
    """The body of the answer 200: one line each."""
    return "".join(line.to_line() for line in cosignatures).encode()


def read_answer(
    body: bytes, checkpoint: Checkpoint, keys: Sequence[VerifierKey]
) -> list[NoteSignature]:
    """The cosignatures in the answer 200 that are of these keys; lines of others are left out.

    Raises:
        Malformed: the body is another one.
        InvalidSignature: a line of one of these keys does not verify, or says no time.
    """
    lines = read_signature_lines(decode_text(body, NOTE_LIMIT))
    known = {(key.name, key.key_id): key for key in keys}
    found = [line for line in lines if (line.name, line.key_id) in known]
    for line in found:
        if verify_line(checkpoint, known[line.name, line.key_id], line) is None:
            raise InvalidSignature(f"the cosignature of {line.name} says no time")
    return found


def read_size(body: bytes) -> int:
    """The size in the answer 409. Raises Malformed."""
    text = decode_text(body, 64)
    if not text.endswith("\n"):
        raise Malformed("the size that a witness knows ends in a line feed")
    return read_decimal(text[:-1])
