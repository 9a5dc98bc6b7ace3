"""A log with keys and three witnesses, its policy, and proofs of its entries."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.tiled_log import TiledLog
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    sign_checkpoint,
)
from zkwm_protocols.transparency.equivocation import Equivocation, ProvenLeaf
from zkwm_protocols.transparency.note import NoteSignature
from zkwm_protocols.transparency.note_keys import NoteSigningKey, SignatureType
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.transparency.tree import prove_inclusion

ORIGIN, TIME = "log.example/1", 1_700_000_000
LOG_KEY = NoteSigningKey(ORIGIN, SignatureType.ED25519, b"l" * 32)
SECOND_KEY = NoteSigningKey(ORIGIN, SignatureType.ML_DSA_44_COSIGNATURE, b"m" * 32)
WITNESSES = [
    NoteSigningKey("one.example", SignatureType.ED25519_COSIGNATURE, b"1" * 32),
    NoteSigningKey("two.example", SignatureType.ML_DSA_44_COSIGNATURE, b"2" * 32),
    NoteSigningKey("three.example", SignatureType.ED25519_COSIGNATURE, b"3" * 32),
]
POLICY_TEXT = "\n".join(
    [
        "# of the tests",
        f"log {LOG_KEY.verifier.to_text()} https://log.example/1/",
        f"log {SECOND_KEY.verifier.to_text()}",
        *(f"witness w{i} {key.verifier.to_text()}" for i, key in enumerate(WITNESSES)),
        "group both 2 w0 w1 w2",
        "quorum both",
        "",
    ]
)
POLICY = LogPolicy.from_bytes(POLICY_TEXT.encode())


def signed(log: TiledLog, witnesses: Sequence[NoteSigningKey] = WITNESSES) -> SignedCheckpoint:
    """The checkpoint of the whole log, with the lines of its two keys and of the witnesses."""
    checkpoint = Checkpoint(ORIGIN, log.head())
    lines = [sign_checkpoint(checkpoint, LOG_KEY), sign_checkpoint(checkpoint, SECOND_KEY, TIME)]
    lines += [sign_checkpoint(checkpoint, key, TIME + i) for i, key in enumerate(witnesses)]
    return SignedCheckpoint(checkpoint, tuple(lines))


def proof_of(log: TiledLog, index: int) -> ProofFile:
    """The file that proves an entry."""
    return ProofFile(index, tuple(prove_inclusion(index, log.size, log.hashes())), signed(log))


def untimed(key: NoteSigningKey, checkpoint: Checkpoint) -> NoteSignature:
    """A cosignature by ML-DSA-44 with the time 0, its message put together from C2SP's text."""
    name, origin = key.verifier.name.encode(), checkpoint.origin.encode()
    message = b"".join(
        [b"subtree/v1\n\0", bytes([len(name)]), name, bytes(8), bytes([len(origin)]), origin,
         bytes(8), checkpoint.head.size.to_bytes(8, "big"), checkpoint.head.root]
    )  # fmt: skip
    return NoteSignature(
        key.verifier.name, key.verifier.key_id, bytes(8) + key.sign_message(message)
    )


def two_histories() -> Equivocation:
    """Evidence against the log: its seventh entry is another one in a shorter tree."""
    entries = [b"%d" % i for i in range(20)]
    logs = [TiledLog(entries), TiledLog([*entries[:7], b"another", *entries[8:12]])]
    leaves = [
        ProvenLeaf(leaf_hash(entry), tuple(prove_inclusion(7, log.size, log.hashes())))
        for log, entry in zip(logs, (entries[7], b"another"), strict=True)
    ]
    first, second = (signed(log, []) for log in logs)
    return Equivocation(first, second, 7, tuple(leaves))
