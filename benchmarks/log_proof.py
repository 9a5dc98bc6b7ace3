"""Verify the proof of one entry offline: inclusion, 3 cosignatures, consistency. Bar: 10 ms.

A log of 2^20 entries, whose tree is made up: random hashes beside one leaf. Read from bytes each
time, as a judge reads files: the proof, the policy is read before.

    python benchmarks/log_proof.py
"""

from __future__ import annotations

import statistics
import time

import measure

from zkwm_protocols.merkle import leaf_hash, node_hash
from zkwm_protocols.transparency.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from zkwm_protocols.transparency.note_keys import NoteSigningKey, SignatureType
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.proof_file import ProofFile
from zkwm_protocols.transparency.tree import TreeHead, prove_consistency, verify_consistency

SIZE_LOG, OLD_LOG = 20, 19
RUNS = 200
ORIGIN = "log.example/1"
TYPES = {"ed25519": SignatureType.ED25519_COSIGNATURE,
         "ml_dsa_44": SignatureType.ML_DSA_44_COSIGNATURE}  # fmt: skip


def subtree(height: int, index: int) -> bytes:
    """A made-up hash of a subtree that is not on the way to leaf 0."""
    return leaf_hash(f"{height} {index}".encode())


def head(log: int, leaf: bytes) -> TreeHead:
    """The tree of 2^log leaves whose first is ``leaf``."""
    root = leaf
    for height in range(log):
        root = node_hash(root, subtree(height, 1))
    return TreeHead(1 << log, root)


def milliseconds(kind: SignatureType) -> tuple[float, int]:
    """The median of reading and verifying everything, and the bytes of the proof."""
    leaf = leaf_hash(b"statement")
    new, old = head(SIZE_LOG, leaf), head(OLD_LOG, leaf)
    log = NoteSigningKey.generate(ORIGIN, SignatureType.ED25519)
    witnesses = [NoteSigningKey.generate(f"w{i}.example", kind) for i in range(3)]
    checkpoint = Checkpoint(ORIGIN, new)
    lines = [sign_checkpoint(checkpoint, log)]
    lines += [sign_checkpoint(checkpoint, key, 1_700_000_000) for key in witnesses]
    path = tuple(subtree(height, 1) for height in range(SIZE_LOG))
    data = ProofFile(0, path, SignedCheckpoint(checkpoint, tuple(lines))).to_bytes()
    text = [f"log {log.verifier.to_text()}"]
    text += [f"witness w{i} {key.verifier.to_text()}" for i, key in enumerate(witnesses)]
    policy = LogPolicy.from_bytes("\n".join([*text, "group all all w0 w1 w2", "quorum all", ""])
                                  .encode())  # fmt: skip
    consistency = prove_consistency(old.size, new.size, subtree)
    found = []
    for _ in range(RUNS):
        start = time.perf_counter()
        proof = ProofFile.from_bytes(data)
        assert len(proof.verify(leaf, policy, latest=1_800_000_000).witnesses) == 3
        verify_consistency(old, proof.checkpoint.checkpoint.head, consistency)
        found.append(1_000 * (time.perf_counter() - start))
    return statistics.median(found), len(data)


def main() -> None:
    """Print one JSON line."""
    results = {}
    for name, kind in TYPES.items():
        time_ms, size = milliseconds(kind)
        results[f"{name}_ms"] = round(time_ms, 2)
        results[f"{name}_proof_bytes"] = size
    measure.report("log_proof", entries=1 << SIZE_LOG, cosignatures=3, bar_ms=10, **results)


if __name__ == "__main__":
    main()
