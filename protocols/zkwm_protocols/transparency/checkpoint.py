"""Checkpoints: the signed head of a log's tree (C2SP tlog-checkpoint, tlog-cosignature).

A log signs the whole text by Ed25519, and a second line is its cosignature by ML-DSA-44; witnesses
add theirs. Who signed counts only after ``SignedCheckpoint.signed_by``. SPEC.md 23.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from zkwm_protocols.errors import InvalidSignature, Malformed, UsageError
from zkwm_protocols.schema import require_integer
from zkwm_protocols.transparency.note import (
    LONGEST_NAME,
    MOST_SIGNATURES,
    Note,
    NoteSignature,
    decode_text,
    from_base64,
    to_base64,
)
from zkwm_protocols.transparency.note_keys import NoteSigningKey, SignatureType, VerifierKey
from zkwm_protocols.transparency.tree import MAXIMUM_SIZE, TreeHead

MAXIMUM_TIME = 2**63 - 1
"""The largest time of a cosignature, in seconds since 1970 (POSIX)."""
MOST_EXTENSIONS = 16
LONGEST_EXTENSION = 1_024

_TIME_BYTES = 8
_TIMED = (_TIME_BYTES + 64, _TIME_BYTES + 2_420)
"""Bytes of a cosignature by Ed25519 and by ML-DSA-44 (FIPS 204)."""
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_SUBTREE_LABEL = b"subtree/v1\n\x00"
_COSIGNATURE_LABEL = "cosignature/v1"


@dataclass(frozen=True)
class Checkpoint:
    """What is signed: the log's origin, size and root of its tree, and lines that a log may add.

    Raises Malformed for an origin or extension that is empty, too long, or not one line.
    """

    origin: str
    head: TreeHead
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_origin(self.origin)
        if len(self.extensions) > MOST_EXTENSIONS:
            raise Malformed(f"a checkpoint has at most {MOST_EXTENSIONS} further lines")
        for line in self.extensions:
            _require_line(line, LONGEST_EXTENSION)

    @property
    def text(self) -> str:
        """The text of its note."""
        lines = [self.origin, str(self.head.size), to_base64(self.head.root), *self.extensions]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Checkpoint:
        """Read ``text``. Raises Malformed for any other spelling."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() != "":
            raise Malformed("a checkpoint is three lines at least: origin, size and root")
        origin, size, root, *extensions = lines
        head = TreeHead(read_decimal(size), from_base64(root))
        return cls(origin, head, tuple(extensions))


@dataclass(frozen=True)
class SignedBy:
    """A signature that verified: whose, and when they say that they made it.

    ``time`` is in seconds since 1970; None where the signature says nothing about time.
    """

    key: VerifierKey
    time: int | None


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint with its signature lines, of which nobody has verified one."""

    checkpoint: Checkpoint
    signatures: tuple[NoteSignature, ...]

    def to_bytes(self) -> bytes:
        """The note that a log serves."""
        return Note(self.checkpoint.text, self.signatures).to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> SignedCheckpoint:
        """Read a note whose text is a checkpoint. Raises Malformed."""
        note = Note.from_bytes(data)
        return cls(Checkpoint.from_text(note.text), note.signatures)

    def with_signatures(self, more: Iterable[NoteSignature]) -> SignedCheckpoint:
        """The same with further lines; a line that is there stays one. Raises Malformed."""
        lines = tuple(dict.fromkeys([*self.signatures, *more]))
        if len(lines) > MOST_SIGNATURES:
            raise Malformed(f"a note has 1 to {MOST_SIGNATURES} signature lines")
        return SignedCheckpoint(self.checkpoint, lines)

    def stated_times(self) -> tuple[int, ...]:
        """Seconds since 1970 in lines as long as a cosignature, none of which is verified."""
        lines = [line.signature for line in self.signatures]
        times = [int.from_bytes(one[:_TIME_BYTES], "big") for one in lines if len(one) in _TIMED]
        return tuple(time for time in times if 0 < time <= MAXIMUM_TIME)

    def signed_by(self, key: VerifierKey, *, latest: int | None = None) -> SignedBy | None:
        """The verified signature of this key, or None where it has none here that counts.

        All lines that name the key must verify; the earliest of their times counts.

        Args:
            key: whose signature is looked for, by name and id.
            latest: the time, in seconds since 1970, after which no cosignature can be of: a line
                of a later one counts as none; None to accept any.

        Raises InvalidSignature where a line names this key, and is not its signature.
        """
        lines = [
            line for line in self.signatures if (line.name, line.key_id) == (key.name, key.key_id)
        ]
        verified = [verify_line(self.checkpoint, key, line) for line in lines]
        times = [one for one in verified if latest is None or one is None or one <= latest]
        if not times:
            return None
        return SignedBy(key, min((time for time in times if time is not None), default=None))


def sign_checkpoint(
    checkpoint: Checkpoint, key: NoteSigningKey, time: int | None = None
) -> NoteSignature:
    """The signature line of a log or witness.

    Args:
        checkpoint: what is signed. Whoever signs has to know that the tree only grew.
        key: of a log by type 0x01, whose name is the origin; of a witness, or a log's second line,
            by 0x04 or 0x06.
        time: seconds since 1970, at least 1, for a cosignature; None for type 0x01.

    Raises UsageError for a time where none belongs, or the other way round.
    """
    verifier = key.verifier
    timed = verifier.signature_type is not SignatureType.ED25519
    if timed != (time is not None):
        raise UsageError("a cosignature has a time, and a log's own signature by Ed25519 has none")
    if not timed and verifier.name != checkpoint.origin:
        raise UsageError("a log signs its own checkpoints: its name is their origin")
    if time is not None:
        require_integer(time, MAXIMUM_TIME, 1)
    stamp = b"" if time is None else time.to_bytes(_TIME_BYTES, "big")
    signature = key.sign_message(_message(checkpoint, verifier, time))
    return NoteSignature(verifier.name, verifier.key_id, stamp + signature)


def verify_line(checkpoint: Checkpoint, key: VerifierKey, line: NoteSignature) -> int | None:
    """The time of a signature line that is this key's; None where it has none.

    Raises InvalidSignature. Use ``SignedCheckpoint.signed_by``, which looks at all lines.
    """
    if key.signature_type is SignatureType.ED25519:
        key.verify_message(_message(checkpoint, key, None), line.signature)
        return None
    time = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    if time > MAXIMUM_TIME:
        raise InvalidSignature(f"the signature of {key.name} does not verify: no such time")
    key.verify_message(_message(checkpoint, key, time), line.signature[_TIME_BYTES:])
    return time or None


def require_origin(origin: str) -> str:
    """One line of 1 to 255 bytes. Raises Malformed."""
    return _require_line(origin, LONGEST_NAME)


def read_decimal(text: str) -> int:
    """A size or index of at most 2^63 - 1 without leading zeros. Raises Malformed."""
    if not _DECIMAL.fullmatch(text):
        raise Malformed("expected a decimal number without leading zeros")
    return require_integer(int(text), MAXIMUM_SIZE)


def _message(checkpoint: Checkpoint, key: VerifierKey, time: int | None) -> bytes:
    """The bytes under a signature of this type (C2SP signed-note, tlog-cosignature)."""
    if key.signature_type is SignatureType.ED25519:
        return checkpoint.text.encode()
    if key.signature_type is SignatureType.ED25519_COSIGNATURE:
        return f"{_COSIGNATURE_LABEL}\ntime {time}\n{checkpoint.text}".encode()
    numbers = [int(time or 0), 0, checkpoint.head.size]
    stamp, start, end = (number.to_bytes(8, "big") for number in numbers)
    return (
        _SUBTREE_LABEL
        + _prefixed(key.name)
        + stamp
        + _prefixed(checkpoint.origin)
        + start
        + end
        + checkpoint.head.root
    )


def _prefixed(text: str) -> bytes:
    """A text of at most 255 bytes behind its length."""
    data = text.encode()
    return bytes([len(data)]) + data


def _require_line(line: str, most: int) -> str:
    """One line of text, of 1 to ``most`` bytes."""
    data = line.encode("utf-8", "surrogatepass")
    if not 1 <= len(data) <= most or "\n" in line or decode_text(data, most) != line:
        raise Malformed(f"expected one line of 1 to {most} bytes")
    return line
