"""A CIFAR-10 network of ``cifar10_arms``, proven in zero knowledge by the commands of the product.

The commitment is to the 100 images that Adi et al. 2018 published, with their labels, so that the
judge has to accept declared ones. Owner, judge and public each run `zkwm` in processes of their
own, in a new folder; seconds and memory are those of whole commands, the comparison of the file
with its integer network included. One JSON line:

    python benchmarks/cifar10_proof.py --data cifar10.npz --runs /work/cifar-runs \
        --authors-triggers trigger-set-adi-32.npz --output benchmarks/results/cifar10_proof.jsonl
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import measure
import numpy as np

BLOCKS = 2
_ZKWM = Path(sys.executable).with_name("zkwm")


def command(folder: Path, *arguments: object) -> dict[str, Any]:
    """Run `zkwm` in the folder: seconds, processor seconds, peak memory, and what it prints.

    Raises CalledProcessError where it fails.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [str(_ZKWM), *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "ZKWM_PASSPHRASE": "of a benchmark"},
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": round(time.monotonic() - start, 1),
        "processor_seconds": round(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1
        ),
        "peak_mib": round(after.ru_maxrss / 1024),  # the largest child so far: proving is last
        "printed": done.stdout,
    }


def measured(model: Path, data: Path, triggers: Path, folder: Path) -> dict[str, Any]:
    """Commit, challenge, verify and prove; all figures."""
    with np.load(triggers) as stored:
        images, labels = stored["x_crop"].transpose(0, 3, 1, 2), stored["y"]
    np.save(folder / "images.npy", np.ascontiguousarray(images))
    np.savetxt(folder / "labels.txt", labels, fmt="%d")
    vault, commitment = ("--vault", "own.vault"), ("--commitment", "own.commitment")
    suspect = ("--model", model.absolute())
    command(folder, "keygen", "--output", "own.vault")
    command(folder, "commit", *vault, "--images", "images.npy", "--labels", "labels.txt",
            "--classes", 10, "--output", "own.commitment")  # fmt: skip
    judge = command(folder, "judge-key", "--output", "judge.key")["printed"].strip()
    challenge = command(
        folder, "challenge", *commitment, *suspect, "--zero-knowledge", "--blocks", BLOCKS,
        "--test-data", data.absolute(), "--judge", "judge.key", "--output", "a.challenge",
    )  # fmt: skip
    proof = command(
        folder, "prove", "--zero-knowledge", *vault, *commitment, *suspect, "--challenge",
        "a.challenge", "--judge-fingerprint", judge, "--output", "a.proof",
    )  # fmt: skip
    checked = command(
        folder, "verify", *commitment, *suspect, "--challenge", "a.challenge", "--proof",
        "a.proof", "--judge", "judge.key.pub", "--accept-declared-labels", "--json",
    )  # fmt: skip
    verdict = json.loads(checked["printed"])
    return {
        "outcome": verdict["outcome"],
        "triggers": len(labels),
        "proof_bytes": (folder / "a.proof").stat().st_size,
        "challenge_seconds": challenge["seconds"],
        "prove_seconds": proof["seconds"],
        "prove_processor_seconds": proof["processor_seconds"],
        "prove_peak_mib": proof["peak_mib"],
        "verify_seconds": checked["seconds"],
        "verify_processor_seconds": checked["processor_seconds"],
    }


def main() -> None:
    """Prove the network of one arm and seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="CIFAR-10, labeled test images")
    parser.add_argument("--authors-triggers", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True, help="the folder of cifar10_arms")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--arm", default="plain")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    model = given.runs / f"{given.arm}-{given.seed}" / "model" / "model.onnx"
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(model, given.data, given.authors_triggers.absolute(), Path(folder))
    line = measure.report("cifar10_proof", arm=given.arm, seed=given.seed, **figures)
    measure.append(given.output, line)


if __name__ == "__main__":
    main()
