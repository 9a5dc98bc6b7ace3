"""The zero-knowledge argument: cost of proving and verifying, warm, without Argon2id.

The networks have exactly the shapes of the product's and random weights, made directly as integer
networks: the cost depends on shapes only. Prover and verifier run in processes of their own, so
that each has its own peak memory. Bars are in ``docs_results_argument``.

    python benchmarks/argument.py --network lenet5 [--triggers 100] [--runs 3]
    python benchmarks/argument.py --network resnet18-224 --triggers 50 --runs 1 --verifications 1
    python benchmarks/argument.py --network resnet50-224 --triggers 10 --runs 1 --verifications 1
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import integer_networks
import measure

PROCESS = Path(__file__).with_name("argument_process.py")
VERIFICATIONS = 5


def measured(
    network: str, triggers: int, runs: int, verifications: int = VERIFICATIONS
) -> dict[str, Any]:
    """All figures of one network.

    Times in seconds are medians of ``runs`` proofs in one process. Processor seconds are the least:
    other work on the machine can only add to them.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "proof"
        proving = _process("prove", network, triggers, runs, file)
        verifying = _process("verify", network, triggers, verifications, file)
    steps = proving["steps"]
    return {
        "network": network,
        "weights_from": "random, directly as an integer network",
        "triggers": triggers,
        "runs": runs,
        "prove_seconds": round(median(proving["seconds"]), 3),
        "verify_seconds": round(median(verifying["seconds"]), 4),
        "prove_processor_seconds": round(min(proving["processor_seconds"]), 3),
        "verify_processor_seconds": round(min(verifying["processor_seconds"]), 4),
        "proof_bytes": proving["proof_bytes"],
        "peak_bytes": proving["peak_bytes"],
        "verify_peak_bytes": verifying["peak_bytes"],
        "soundness_bits": round(verifying["soundness_bits"], 2),
        **{name: verifying[name] for name in ("lookups", "cells", "fractions")},
        **{name: verifying[name] for name in ("row_length", "code_length", "columns")},
        **{name: proving[name] for name in ("activations", "weights", "products", "table_rows")},
        "prove_steps": {step: round(median(run[step] for run in steps), 3) for step in steps[0]},
        "first_tiny_proof_seconds": proving["first_tiny_proof_seconds"],
        "verifier_imports": verifying["compiled"],
    }


def _process(side: str, network: str, triggers: int, runs: int, file: Path) -> dict[str, Any]:
    """Run ``argument_process`` and read its figures.

    Args:
        side: ``prove`` or ``verify``.
        network: By its name in ``integer_networks``.
        triggers: How many.
        runs: How many proofs or verifications.
        file: The proof, written by one side and read by the other.
    """
    command = [sys.executable, PROCESS, side, network, str(triggers), str(runs), file]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Print one JSON line, and a summary to stderr."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", required=True, help=", ".join(integer_networks.NAMED))
    parser.add_argument("--triggers", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--verifications", type=int, default=VERIFICATIONS)
    parser.add_argument("--json", action="store_true", help="no summary on stderr")
    chosen = parser.parse_args()
    figures = measured(chosen.network, chosen.triggers, chosen.runs, chosen.verifications)
    measure.report("argument", **figures)
    if chosen.json:
        return
    for name in ("prove_seconds", "verify_seconds", "proof_bytes", "peak_bytes", "soundness_bits"):
        print(f"{name:16} {figures[name]:>16,}", file=sys.stderr)
    for step, seconds in figures["prove_steps"].items():
        print(f"  {seconds:8.2f} s  {step}", file=sys.stderr)


if __name__ == "__main__":
    main()
