"""Memory and time of a proof with codewords kept, and with codewords made in strips and twice.

Each way in a process of its own; the proofs of both have the same bytes for the same randomness,
which ``tests/protocols/argument/ligero/test_codewords.py`` holds.

    python benchmarks/codewords.py --network cifar [--append FILE]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import argument_process
import measure

WAYS = {"kept": 1 << 62, "in strips": 0}
"""The most bytes of codewords that are kept."""


def proofs(way: str, network: str, triggers: int) -> list[dict[str, Any]]:
    """Two proofs of this process: processor seconds and peak of each."""
    from zkwm_protocols.argument.ligero import codeword_memory
    from zkwm_protocols.argument.prover import prove

    codeword_memory.KEPT_BYTES = WAYS[way]
    chosen = argument_process.case(network, triggers)
    found = []
    for _ in range(2):
        argument_process.forget_peak()
        before = resource.getrusage(resource.RUSAGE_SELF)
        argument_process._prove_once(chosen, prove)
        after = resource.getrusage(resource.RUSAGE_SELF)
        found.append(
            {
                "user_seconds": round(after.ru_utime - before.ru_utime, 2),
                "system_seconds": round(after.ru_stime - before.ru_stime, 2),
                "peak_mib": argument_process.peak_bytes() >> 20,
            }
        )
    return found


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="cifar", help="tiny, dense, lenet5, cifar, resnet18")
    parser.add_argument("--triggers", type=int, default=100)
    parser.add_argument("--append", type=Path, help="a file that gets the line as well")
    parser.add_argument("--way", choices=WAYS, help="in this process alone")
    chosen = parser.parse_args()
    if chosen.way:
        print(json.dumps(proofs(chosen.way, chosen.network, chosen.triggers)))
        return
    figures = {}
    for way in WAYS:
        words = ["--network", chosen.network, "--triggers", str(chosen.triggers), "--way", way]
        done = subprocess.run(
            [sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True
        )
        figures[way] = json.loads(done.stdout)
    result = measure.report(
        "codewords", network=chosen.network, triggers=chosen.triggers, proofs=figures
    )
    if chosen.append:
        measure.append(chosen.append, result)


if __name__ == "__main__":
    main()
