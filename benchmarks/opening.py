"""Check an opening of 50 triggers, warm, without the suspect's inference. Bar: 0.3 s.

All of ``Judge.verify`` from the files' bytes to the verdict, with a suspect that answers at once:
with the label seed cached (the commitment was checked before in this process), and with its
Argon2id hash.

    python benchmarks/opening.py
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import measure
import numpy as np

import zkwm
from zkwm.suspects import Answer
from zkwm_protocols.labels import label_seed
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity


class InstantSuspect(zkwm.Suspect):
    """Answers from a table, so that only the check is timed."""

    def __init__(self, triggers: zkwm.TriggerSet, shape: tuple[int, int, int]) -> None:
        """Store the answer to each trigger."""
        self.identity = SuspectIdentity("onnx", bytes(32), "a table", 10, shape)
        self._table = {
            image.tobytes(): int(label)
            for image, label in zip(triggers.images, triggers.labels, strict=True)
        }

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        """Accept anything."""

    def answer(
        self, images: np.ndarray, preprocessing: Preprocessing, *, progress: object = None
    ) -> tuple[Answer, ...]:
        """Answer images uint8 (n, c, h, w) from a table."""
        return tuple(Answer(self._table[image.tobytes()]) for image in images)

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


def measure_shape(folder: Path, shape: tuple[int, int, int]) -> None:
    """Print one JSON line for images of ``shape``."""
    name = "x".join(map(str, shape))
    vault = zkwm.Vault.create(folder / f"{name}.vault", "benchmark")
    judge = zkwm.Judge.create(folder / f"{name}.key", "benchmark")
    commitment = zkwm.commit(vault, class_count=10, shape=shape)
    suspect = InstantSuspect(zkwm.trigger_set(vault, commitment), shape)
    challenge = judge.challenge(commitment, suspect, reveal=50)
    proof = zkwm.prove(vault, commitment, challenge, judge_fingerprint=judge.public.fingerprint())
    files = commitment.to_bytes(), challenge.to_bytes(), proof.to_bytes()
    warm, cold = [], []
    for run in range(8):
        if run >= 6:
            label_seed.cache_clear()
        start = time.perf_counter()
        verdict = judge.verify(files[0], suspect, files[1], files[2])
        seconds = time.perf_counter() - start
        if run:
            (cold if run >= 6 else warm).append(seconds)
    measure.report(
        "opening",
        triggers=50,
        shape=list(shape),
        check_seconds=round(statistics.median(warm), 4),
        check_with_argon2id_seconds=round(statistics.median(cold), 3),
        proof_bytes=len(files[2]),
        evidence_bits=verdict.evidence.total_bits if verdict.evidence else None,
    )


def main() -> None:
    """Print one JSON line for each image shape; times in seconds, medians."""
    with tempfile.TemporaryDirectory() as folder:
        for shape in ((1, 28, 28), (3, 32, 32)):
            measure_shape(Path(folder), shape)


if __name__ == "__main__":
    main()
