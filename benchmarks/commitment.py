"""Commit to 1,000 images of 3 x 32 x 32, warm: leaves, root, header, signature. Bar: 1 s.

The Argon2id hash of the labels is timed separately: it is slow on purpose.

    python benchmarks/commitment.py
"""

from __future__ import annotations

import secrets
import statistics
import time

import measure
import numpy as np

from zkwm_protocols.commitment import Commitment
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.labels import derive_labels, label_seed
from zkwm_protocols.make_commitment import make_commitment


def main() -> None:
    """Print one JSON line; times in seconds, medians of five runs after one."""
    images = np.random.default_rng(1).integers(0, 256, (1000, 3, 32, 32), dtype=np.uint8)
    salts = [secrets.token_bytes(32) for _ in images]
    key = SigningKey.generate()
    commit, verify, seed, derive = [], [], [], []
    for run in range(6):
        start = time.perf_counter()
        commitment = make_commitment(images, salts, class_count=10, signers=(key,), block_size=50)
        data = commitment.to_bytes()
        committed = time.perf_counter()
        Commitment.from_bytes(data).verify()
        verified = time.perf_counter()
        label_seed.cache_clear()
        label_seed(commitment.digest, None)
        seeded = time.perf_counter()
        derive_labels(commitment.digest, None, 1000, 10)
        derived = time.perf_counter()
        if run:
            commit.append(committed - start)
            verify.append(verified - committed)
            seed.append(seeded - verified)
            derive.append(derived - seeded)
    measure.report(
        "commitment",
        triggers=1000,
        shape=[3, 32, 32],
        commit_seconds=round(statistics.median(commit), 4),
        read_and_verify_seconds=round(statistics.median(verify), 4),
        argon2id_seconds=round(statistics.median(seed), 3),
        labels_from_seed_seconds=round(statistics.median(derive), 4),
        commitment_bytes=len(data),
    )


if __name__ == "__main__":
    main()
